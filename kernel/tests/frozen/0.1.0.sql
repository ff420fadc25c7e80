BEGIN TRANSACTION;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, trial TEXT, body TEXT NOT NULL, crc INTEGER NOT NULL
);
INSERT INTO "events" VALUES(1,0.0,'opened',NULL,'{"version":1,"kernel":"0.1.0","host":"frozen","pid":1,"id":"9eff0116","name":"run","python":"3","settings":{"trainable":{"$object":"<function train at 0x7f8f4ea11d00>","name":"train"},"param_space":{"spec":{"x":{"$":"Float","lower":0.0,"upper":1.0,"log":false,"q":null},"kind":{"$":"Choice","categories":["a","b"],"weights":null},"fixed":{"deep":[1,"two"]}},"constraints":["__main__:small"]},"metric":"loss","mode":"min","num_samples":6,"searcher":{"$object":"<microtune.testing.fakes.FakeSearcher object at 0x7f8f4dd81bd0>"},"scheduler":{"$object":"<__main__.Planner object at 0x7f8f4dd81990>"},"executor":{"$object":"<microtune.testing.fakes.FakeExecutor object at 0x7f8f4dd81a90>"},"loggers":[{"$object":"<__main__.Broken object at 0x7f8f4dd81a10>"}],"modifiers":[],"stop":null,"time_budget_s":null,"max_concurrent_trials":null,"points_to_evaluate":null,"warm_start":[],"resources":null,"max_failures":1,"fail_fast":false,"trial_timeout_s":null,"report_timeout_s":null,"grace_s":10.0,"checkpoints":{"keep":1},"seed":1,"warm_started":[],"plugins":[{"role":"scheduler","name":"Planner","class":"__main__.Planner","repr":"<__main__.Planner object at 0x7f8f4dd81990>"},{"role":"searcher","name":"FakeSearcher","class":"microtune.testing.fakes.FakeSearcher","repr":"<microtune.testing.fakes.FakeSearcher object at 0x7f8f4dd81bd0>"},{"role":"executor","name":"FakeExecutor","class":"microtune.testing.fakes.FakeExecutor","repr":"<microtune.testing.fakes.FakeExecutor object at 0x7f8f4dd81a90>"},{"role":"logger","name":"Broken","class":"__main__.Broken","repr":"<__main__.Broken object at 0x7f8f4dd81a10>"}]}}',2669493828);
INSERT INTO "events" VALUES(2,0.0,'created','00000','{"number":0,"config":{"x":0.1,"kind":"a","fixed":{"deep":[1,"two"]}},"token":0}',1036118721);
INSERT INTO "events" VALUES(3,0.0,'launched','00000','{"attempt":1}',1352840884);
INSERT INTO "events" VALUES(4,0.0,'created','00001','{"number":1,"config":{"x":0.2,"kind":"b","fixed":{"deep":[1,"two"]}},"token":1}',3299123298);
INSERT INTO "events" VALUES(5,0.0,'launched','00001','{"attempt":1}',3185197348);
INSERT INTO "events" VALUES(6,0.0,'fault',NULL,'{"plugin":"logger ''Broken''","hook":"log","message":"logger ''Broken'' failed in log: ValueError: a logger that does not work"}',1225719421);
INSERT INTO "events" VALUES(7,1.125,'result','00000','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',2417938194);
INSERT INTO "events" VALUES(8,1.125,'result','00001','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',413175041);
INSERT INTO "events" VALUES(9,2.375,'checkpoint','00000','{"iteration":2,"path":"./trials/00000/checkpoints/2-1"}',612001047);
INSERT INTO "events" VALUES(10,2.375,'result','00000','{"iteration":2,"metrics":{"loss":0.05,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00000/checkpoints/2-1"}',1114925151);
INSERT INTO "events" VALUES(11,2.375,'checkpoint','00001','{"iteration":2,"path":"./trials/00001/checkpoints/2-1"}',1348621);
INSERT INTO "events" VALUES(12,2.375,'result','00001','{"iteration":2,"metrics":{"loss":0.1,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00001/checkpoints/2-1"}',2979588773);
INSERT INTO "events" VALUES(13,3.75,'result','00000','{"iteration":3,"metrics":{"loss":0.03333333333333333,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75}',3811661464);
INSERT INTO "events" VALUES(14,3.75,'result','00001','{"iteration":3,"metrics":{"loss":0.06666666666666667,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75}',3515859581);
INSERT INTO "events" VALUES(15,5.25,'checkpoint','00000','{"iteration":4,"path":"./trials/00000/checkpoints/4-1"}',2161499291);
INSERT INTO "events" VALUES(16,5.25,'result','00000','{"iteration":4,"metrics":{"loss":0.025,"note":{"\u00fc":[4,null,true]}},"time_total_s":5.25,"checkpoint":"./trials/00000/checkpoints/4-1"}',4256954261);
INSERT INTO "events" VALUES(17,5.25,'deleted','00000','{"path":"./trials/00000/checkpoints/2-1"}',262672124);
INSERT INTO "events" VALUES(18,5.25,'interrupted','00001','{"reason":"ValueError: trial 1 fails at step 4","failure":{"kind":"error","message":"ValueError: trial 1 fails at step 4","traceback":"Traceback, without its files"},"counted":true}',3283200066);
INSERT INTO "events" VALUES(19,5.25,'launched','00001','{"attempt":2}',1260920515);
INSERT INTO "events" VALUES(20,5.25,'result','00001','{"iteration":3,"metrics":{"loss":0.06666666666666667,"note":{"\u00fc":[3,null,true]}},"time_total_s":5.25,"repeat":true}',1447247350);
INSERT INTO "events" VALUES(21,5.25,'ended','00001','{"state":"FAILED","reason":"ValueError: trial 1 fails at step 4","failure":{"kind":"error","message":"ValueError: trial 1 fails at step 4","traceback":"Traceback, without its files"}}',1183564248);
INSERT INTO "events" VALUES(22,5.25,'resumed','00000','{"goes_on":true}',3874047326);
INSERT INTO "events" VALUES(23,5.25,'created','00002','{"number":2,"config":{"x":0.3,"kind":"a","fixed":{"deep":[1,"two"]}},"token":2}',988424879);
INSERT INTO "events" VALUES(24,5.25,'launched','00002','{"attempt":1}',767874847);
INSERT INTO "events" VALUES(25,6.375,'result','00002','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',397119162);
INSERT INTO "events" VALUES(26,6.875,'result','00000','{"iteration":5,"metrics":{"loss":0.02,"note":{"\u00fc":[5,null,true]}},"time_total_s":6.875}',1517545719);
INSERT INTO "events" VALUES(27,7.625,'checkpoint','00002','{"iteration":2,"path":"./trials/00002/checkpoints/2-1"}',609485845);
INSERT INTO "events" VALUES(28,7.625,'result','00002','{"iteration":2,"metrics":{"loss":0.15,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00002/checkpoints/2-1"}',2499705235);
INSERT INTO "events" VALUES(29,7.625,'decided','00002','{"decision":"stop","reason":"too slow","by":"Planner"}',3956918087);
INSERT INTO "events" VALUES(30,7.625,'ended','00002','{"state":"STOPPED","reason":"too slow"}',3591474891);
INSERT INTO "events" VALUES(31,7.625,'created','00003','{"number":3,"config":{"x":0.9,"kind":"b","fixed":{"deep":[1,"two"]}},"token":3,"infeasible":true}',373974340);
INSERT INTO "events" VALUES(32,7.625,'ended','00003','{"state":"STOPPED","reason":"infeasible"}',4030059529);
INSERT INTO "events" VALUES(33,7.625,'created','00004','{"number":4,"config":{"x":0.4,"kind":"a","fixed":{"deep":[1,"two"]}},"token":4}',598053468);
INSERT INTO "events" VALUES(34,7.625,'launched','00004','{"attempt":1}',2463534672);
INSERT INTO "events" VALUES(35,8.625,'ended','00000','{"state":"COMPLETED","reason":"completed"}',2702216963);
INSERT INTO "events" VALUES(36,8.625,'created','00005','{"number":5,"config":{"x":0.5,"kind":"b","fixed":{"deep":[1,"two"]}},"token":5}',1345593872);
INSERT INTO "events" VALUES(37,8.625,'launched','00005','{"attempt":1}',1627576220);
INSERT INTO "events" VALUES(38,8.75,'result','00004','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',45196251);
INSERT INTO "events" VALUES(39,9.75,'result','00005','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',942850120);
INSERT INTO "events" VALUES(40,10.0,'checkpoint','00004','{"iteration":2,"path":"./trials/00004/checkpoints/2-1"}',4235821864);
INSERT INTO "events" VALUES(41,10.0,'result','00004','{"iteration":2,"metrics":{"loss":0.2,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00004/checkpoints/2-1"}',292649208);
INSERT INTO "events" VALUES(42,10.0,'decided','00004','{"decision":"pause","reason":"rung 1","by":"Planner"}',1822217215);
INSERT INTO "events" VALUES(43,10.0,'resumed','00004','{"config":{"x":0.25,"kind":"b","fixed":{"deep":[1,"two"]}},"checkpoint":"./trials/00000/checkpoints/4-1","iteration":4,"resources":{"cpu":1}}',1971946483);
INSERT INTO "events" VALUES(44,10.0,'launched','00004','{"attempt":2}',240247502);
INSERT INTO "events" VALUES(45,11.0,'checkpoint','00005','{"iteration":2,"path":"./trials/00005/checkpoints/2-1"}',748568783);
INSERT INTO "events" VALUES(46,11.0,'result','00005','{"iteration":2,"metrics":{"loss":0.25,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00005/checkpoints/2-1"}',3006069897);
INSERT INTO "events" VALUES(47,11.625,'result','00004','{"iteration":5,"metrics":{"loss":0.05,"note":{"\u00fc":[5,null,true]}},"time_total_s":4.0}',75110609);
INSERT INTO "events" VALUES(48,12.375,'result','00005','{"iteration":3,"metrics":{"loss":0.16666666666666666,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75}',456250944);
INSERT INTO "events" VALUES(49,12.375,'decided','00005','{"decision":"stop_run","reason":"enough for today","by":"Planner"}',3069759835);
INSERT INTO "events" VALUES(50,12.375,'interrupted','00004','{"reason":"enough for today"}',2926056519);
INSERT INTO "events" VALUES(51,12.375,'interrupted','00005','{"reason":"enough for today"}',4022712944);
INSERT INTO "events" VALUES(52,13.375,'closed',NULL,'{"reason":"enough for today","finished":false}',2866579192);
INSERT INTO "events" VALUES(53,13.375,'changed',NULL,'{"version":1,"kernel":"0.1.0","host":"frozen","pid":1,"settings":{"searcher":{"$object":"<microtune.testing.fakes.FakeSearcher object at 0x7f8f4e356fd0>"},"scheduler":{"$object":"<__main__.Planner object at 0x7f8f4e3db810>"},"executor":{"$object":"<microtune.testing.fakes.FakeExecutor object at 0x7f8f4e3db790>"},"loggers":[],"plugins":[{"role":"scheduler","name":"Planner","class":"__main__.Planner","repr":"<__main__.Planner object at 0x7f8f4e3db810>"},{"role":"searcher","name":"FakeSearcher","class":"microtune.testing.fakes.FakeSearcher","repr":"<microtune.testing.fakes.FakeSearcher object at 0x7f8f4e356fd0>"},{"role":"executor","name":"FakeExecutor","class":"microtune.testing.fakes.FakeExecutor","repr":"<microtune.testing.fakes.FakeExecutor object at 0x7f8f4e3db790>"}]},"python":"3"}',1946247101);
INSERT INTO "events" VALUES(54,13.375,'launched','00004','{"attempt":3}',119874580);
INSERT INTO "events" VALUES(55,13.375,'launched','00005','{"attempt":2}',570978509);
INSERT INTO "events" VALUES(56,13.375,'result','00004','{"iteration":5,"metrics":{"loss":0.05,"note":{"\u00fc":[5,null,true]}},"time_total_s":4.75,"repeat":true}',630325586);
INSERT INTO "events" VALUES(57,13.375,'ended','00004','{"state":"COMPLETED","reason":"completed"}',3643167148);
INSERT INTO "events" VALUES(58,13.375,'created','00006','{"number":6,"config":{"x":0.6,"kind":"a","fixed":{"deep":[1,"two"]}},"token":6}',3780137883);
INSERT INTO "events" VALUES(59,13.375,'launched','00006','{"attempt":1}',2510957337);
INSERT INTO "events" VALUES(60,13.375,'result','00005','{"iteration":3,"metrics":{"loss":0.16666666666666666,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75,"repeat":true}',3556236854);
INSERT INTO "events" VALUES(61,13.875,'checkpoint','00005','{"iteration":4,"path":"./trials/00005/checkpoints/4-2"}',3152016691);
INSERT INTO "events" VALUES(62,13.875,'result','00005','{"iteration":4,"metrics":{"loss":0.125,"note":{"\u00fc":[4,null,true]}},"time_total_s":4.25,"checkpoint":"./trials/00005/checkpoints/4-2"}',633904266);
INSERT INTO "events" VALUES(63,13.875,'deleted','00005','{"path":"./trials/00005/checkpoints/2-1"}',1176198785);
INSERT INTO "events" VALUES(64,14.5,'result','00006','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',3792437773);
INSERT INTO "events" VALUES(65,15.5,'result','00005','{"iteration":5,"metrics":{"loss":0.1,"note":{"\u00fc":[5,null,true]}},"time_total_s":5.875}',2058574906);
INSERT INTO "events" VALUES(66,15.75,'checkpoint','00006','{"iteration":2,"path":"./trials/00006/checkpoints/2-1"}',322944908);
INSERT INTO "events" VALUES(67,15.75,'result','00006','{"iteration":2,"metrics":{"loss":0.3,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00006/checkpoints/2-1"}',3362741562);
INSERT INTO "events" VALUES(68,15.75,'decided','00006','{"decision":"pause","reason":"rung 1","by":"Planner"}',527630942);
INSERT INTO "events" VALUES(69,17.25,'ended','00005','{"state":"COMPLETED","reason":"completed"}',2355309605);
INSERT INTO "events" VALUES(70,17.25,'closed',NULL,'{"reason":"all 6 trials have been started","finished":true}',3864921448);
INSERT INTO "events" VALUES(71,17.25,'changed',NULL,'{"version":1,"kernel":"0.1.0","host":"frozen","pid":1,"retry_failed":true,"settings":{"num_samples":8,"searcher":{"$object":"<microtune.testing.fakes.FakeSearcher object at 0x7f8f4e48c290>"},"scheduler":{"$object":"<__main__.Planner object at 0x7f8f4dd96f90>"},"executor":{"$object":"<microtune.testing.fakes.FakeExecutor object at 0x7f8f4e474050>"},"plugins":[{"role":"scheduler","name":"Planner","class":"__main__.Planner","repr":"<__main__.Planner object at 0x7f8f4dd96f90>"},{"role":"searcher","name":"FakeSearcher","class":"microtune.testing.fakes.FakeSearcher","repr":"<microtune.testing.fakes.FakeSearcher object at 0x7f8f4e48c290>"},{"role":"executor","name":"FakeExecutor","class":"microtune.testing.fakes.FakeExecutor","repr":"<microtune.testing.fakes.FakeExecutor object at 0x7f8f4e474050>"}]},"python":"3"}',2699442336);
INSERT INTO "events" VALUES(72,17.25,'created','00007','{"number":7,"config":{"x":0.2,"kind":"b","fixed":{"deep":[1,"two"]}},"checkpoint":"./trials/00001/checkpoints/2-1","iteration":2,"retries":"00001"}',1523262064);
INSERT INTO "events" VALUES(73,17.25,'launched','00007','{"attempt":1}',292067401);
INSERT INTO "events" VALUES(74,17.25,'created','00008','{"number":8,"config":{"x":0.7,"kind":"b","fixed":{"deep":[1,"two"]}},"token":7}',2927136632);
INSERT INTO "events" VALUES(75,17.25,'launched','00008','{"attempt":1}',3741197090);
INSERT INTO "events" VALUES(76,18.375,'result','00008','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',1282581371);
INSERT INTO "events" VALUES(77,18.625,'result','00007','{"iteration":3,"metrics":{"loss":0.06666666666666667,"note":{"\u00fc":[3,null,true]}},"time_total_s":1.375}',719543107);
INSERT INTO "events" VALUES(78,19.625,'checkpoint','00008','{"iteration":2,"path":"./trials/00008/checkpoints/2-1"}',2457937541);
INSERT INTO "events" VALUES(79,19.625,'result','00008','{"iteration":2,"metrics":{"loss":0.35,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00008/checkpoints/2-1"}',3640585791);
INSERT INTO "events" VALUES(80,20.125,'checkpoint','00007','{"iteration":4,"path":"./trials/00007/checkpoints/4-1"}',3278865328);
INSERT INTO "events" VALUES(81,20.125,'result','00007','{"iteration":4,"metrics":{"loss":0.05,"note":{"\u00fc":[4,null,true]}},"time_total_s":2.875,"checkpoint":"./trials/00007/checkpoints/4-1"}',77276043);
INSERT INTO "events" VALUES(82,21.0,'result','00008','{"iteration":3,"metrics":{"loss":0.2333333333333333,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75}',3627883711);
INSERT INTO "events" VALUES(83,21.75,'result','00007','{"iteration":5,"metrics":{"loss":0.04,"note":{"\u00fc":[5,null,true]}},"time_total_s":4.5}',3675861459);
INSERT INTO "events" VALUES(84,22.5,'checkpoint','00008','{"iteration":4,"path":"./trials/00008/checkpoints/4-1"}',334221945);
INSERT INTO "events" VALUES(85,22.5,'result','00008','{"iteration":4,"metrics":{"loss":0.175,"note":{"\u00fc":[4,null,true]}},"time_total_s":5.25,"checkpoint":"./trials/00008/checkpoints/4-1"}',2659845132);
INSERT INTO "events" VALUES(86,22.5,'deleted','00008','{"path":"./trials/00008/checkpoints/2-1"}',1371129455);
INSERT INTO "events" VALUES(87,23.5,'ended','00007','{"state":"COMPLETED","reason":"completed"}',3314394320);
INSERT INTO "events" VALUES(88,23.5,'created','00009','{"number":9,"config":{"x":0.8,"kind":"a","fixed":{"deep":[1,"two"]}},"token":8}',1363354340);
INSERT INTO "events" VALUES(89,23.5,'launched','00009','{"attempt":1}',1470818704);
CREATE TABLE loggers (
    name TEXT PRIMARY KEY, seq INTEGER NOT NULL, active INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "loggers" VALUES('JsonLogger',70,1,4144464487);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
INSERT INTO "meta" VALUES('version','1');
CREATE VIEW results AS
    SELECT seq, at, trial, json_extract(body, '$.iteration') AS iteration,
           json_extract(body, '$.time_total_s') AS time_total_s, json_extract(body, '$.metrics') AS metrics,
           json_extract(body, '$.checkpoint') AS checkpoint
    FROM events WHERE kind = 'result' AND json_extract(body, '$.repeat') IS NULL;
CREATE VIEW trials AS
    SELECT made.trial AS id, json_extract(made.body, '$.number') AS number,
           CASE last.kind WHEN 'ended' THEN json_extract(last.body, '$.state') WHEN 'launched' THEN 'RUNNING'
                          WHEN 'decided' THEN 'PAUSED' ELSE 'PENDING' END AS state,
           json_extract(last.body, '$.reason') AS reason,
           json_extract(coalesce(again.body, made.body), '$.config') AS config
    FROM events AS made
    JOIN (SELECT trial, max(seq) AS seq FROM events
          WHERE kind IN ('created', 'launched', 'interrupted', 'ended')
             OR (kind = 'resumed' AND json_extract(body, '$.goes_on') IS NULL)
             OR (kind = 'decided' AND json_extract(body, '$.decision') = 'pause') GROUP BY trial) AS latest USING (trial)
    JOIN events AS last ON last.seq = latest.seq
    LEFT JOIN (SELECT trial, max(seq) AS seq FROM events
               WHERE kind = 'resumed' AND json_extract(body, '$.config') IS NOT NULL GROUP BY trial) AS moved USING (trial)
    LEFT JOIN events AS again ON again.seq = moved.seq
    WHERE made.kind = 'created';
COMMIT;

BEGIN TRANSACTION;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, trial TEXT, body TEXT NOT NULL, crc INTEGER NOT NULL
);
INSERT INTO "events" VALUES(1,0.0,'opened',NULL,'{"version":1,"kernel":"0.1.0","host":"frozen","pid":1,"id":"e5664106","name":"run","python":"3","settings":{"trainable":{"$object":"<function train at 0x7fdda0d35a80>","name":"train"},"param_space":{"spec":{"x":{"$":"Float","lower":0.0,"upper":1.0,"log":false,"q":null},"kind":{"$":"Choice","categories":["a","b"],"weights":null},"fixed":{"deep":[1,"two"]}},"constraints":["__main__:small"]},"metric":"loss","mode":"min","num_samples":6,"searcher":{"$object":"<microtune.testing.fakes.FakeSearcher object at 0x7fdda0c10950>"},"scheduler":{"$object":"<__main__.Planner object at 0x7fdda0741c50>"},"executor":{"$object":"<microtune.testing.fakes.FakeExecutor object at 0x7fdda0741e10>"},"loggers":[{"$object":"<__main__.Broken object at 0x7fdda07422d0>"}],"modifiers":[],"stop":null,"time_budget_s":null,"max_concurrent_trials":null,"points_to_evaluate":null,"warm_start":[],"resources":null,"max_failures":1,"fail_fast":false,"trial_timeout_s":null,"report_timeout_s":null,"grace_s":10.0,"checkpoints":{"keep":1},"seed":1,"warm_started":[],"plugins":[{"role":"scheduler","name":"Planner","class":"__main__.Planner","repr":"<__main__.Planner object at 0x7fdda0741c50>"},{"role":"searcher","name":"FakeSearcher","class":"microtune.testing.fakes.FakeSearcher","repr":"<microtune.testing.fakes.FakeSearcher object at 0x7fdda0c10950>"},{"role":"executor","name":"FakeExecutor","class":"microtune.testing.fakes.FakeExecutor","repr":"<microtune.testing.fakes.FakeExecutor object at 0x7fdda0741e10>"},{"role":"logger","name":"Broken","class":"__main__.Broken","repr":"<__main__.Broken object at 0x7fdda07422d0>"}]}}',1519130966);
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
INSERT INTO "events" VALUES(22,5.25,'created','00002','{"number":2,"config":{"x":0.3,"kind":"a","fixed":{"deep":[1,"two"]}},"token":2}',2096308373);
INSERT INTO "events" VALUES(23,5.25,'launched','00002','{"attempt":1}',4111561120);
INSERT INTO "events" VALUES(24,6.375,'result','00002','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',1968123701);
INSERT INTO "events" VALUES(25,6.875,'result','00000','{"iteration":5,"metrics":{"loss":0.02,"note":{"\u00fc":[5,null,true]}},"time_total_s":6.875}',3858043429);
INSERT INTO "events" VALUES(26,6.875,'decided','00000','{"decision":"stop","reason":"that was all","by":"Planner"}',3561916);
INSERT INTO "events" VALUES(27,6.875,'ended','00000','{"state":"STOPPED","reason":"that was all","finished":true}',2861098916);
INSERT INTO "events" VALUES(28,6.875,'created','00003','{"number":3,"config":{"x":0.9,"kind":"b","fixed":{"deep":[1,"two"]}},"token":3,"infeasible":true}',3973994627);
INSERT INTO "events" VALUES(29,6.875,'ended','00003','{"state":"STOPPED","reason":"infeasible"}',3658896550);
INSERT INTO "events" VALUES(30,6.875,'created','00004','{"number":4,"config":{"x":0.4,"kind":"a","fixed":{"deep":[1,"two"]}},"token":4}',2934788543);
INSERT INTO "events" VALUES(31,6.875,'launched','00004','{"attempt":1}',3778647465);
INSERT INTO "events" VALUES(32,7.625,'checkpoint','00002','{"iteration":2,"path":"./trials/00002/checkpoints/2-1"}',2037368008);
INSERT INTO "events" VALUES(33,7.625,'result','00002','{"iteration":2,"metrics":{"loss":0.15,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00002/checkpoints/2-1"}',3443017341);
INSERT INTO "events" VALUES(34,7.625,'decided','00002','{"decision":"stop","reason":"too slow","by":"Planner"}',1708788639);
INSERT INTO "events" VALUES(35,7.625,'ended','00002','{"state":"STOPPED","reason":"too slow"}',1075649207);
INSERT INTO "events" VALUES(36,7.625,'created','00005','{"number":5,"config":{"x":0.5,"kind":"b","fixed":{"deep":[1,"two"]}},"token":5}',1608984534);
INSERT INTO "events" VALUES(37,7.625,'launched','00005','{"attempt":1}',3734502702);
INSERT INTO "events" VALUES(38,8.0,'result','00004','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',4211681505);
INSERT INTO "events" VALUES(39,8.75,'result','00005','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',3202490961);
INSERT INTO "events" VALUES(40,9.25,'checkpoint','00004','{"iteration":2,"path":"./trials/00004/checkpoints/2-1"}',4188393240);
INSERT INTO "events" VALUES(41,9.25,'result','00004','{"iteration":2,"metrics":{"loss":0.2,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00004/checkpoints/2-1"}',1992791440);
INSERT INTO "events" VALUES(42,9.25,'decided','00004','{"decision":"pause","reason":"rung 1","by":"Planner"}',3009049729);
INSERT INTO "events" VALUES(43,9.25,'resumed','00004','{"config":{"x":0.25,"kind":"b","fixed":{"deep":[1,"two"]}},"checkpoint":"./trials/00000/checkpoints/4-1","iteration":4,"resources":{"cpu":1}}',330389848);
INSERT INTO "events" VALUES(44,9.25,'launched','00004','{"attempt":2}',3868168494);
INSERT INTO "events" VALUES(45,10.0,'checkpoint','00005','{"iteration":2,"path":"./trials/00005/checkpoints/2-1"}',2885280166);
INSERT INTO "events" VALUES(46,10.0,'result','00005','{"iteration":2,"metrics":{"loss":0.25,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00005/checkpoints/2-1"}',1540209366);
INSERT INTO "events" VALUES(47,10.875,'result','00004','{"iteration":5,"metrics":{"loss":0.05,"note":{"\u00fc":[5,null,true]}},"time_total_s":4.0}',4229487234);
INSERT INTO "events" VALUES(48,11.375,'result','00005','{"iteration":3,"metrics":{"loss":0.16666666666666666,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75}',1572707159);
INSERT INTO "events" VALUES(49,12.625,'ended','00004','{"state":"COMPLETED","reason":"completed"}',1142207039);
INSERT INTO "events" VALUES(50,12.625,'created','00006','{"number":6,"config":{"x":0.6,"kind":"a","fixed":{"deep":[1,"two"]}},"token":6}',2332469391);
INSERT INTO "events" VALUES(51,12.625,'launched','00006','{"attempt":1}',1938646311);
INSERT INTO "events" VALUES(52,12.875,'interrupted','00005','{"reason":"ValueError: trial 5 fails at step 4","failure":{"kind":"error","message":"ValueError: trial 5 fails at step 4","traceback":"Traceback, without its files"},"counted":true}',3136989591);
INSERT INTO "events" VALUES(53,12.875,'launched','00005','{"attempt":2}',3117709431);
INSERT INTO "events" VALUES(54,12.875,'result','00005','{"iteration":3,"metrics":{"loss":0.16666666666666666,"note":{"\u00fc":[3,null,true]}},"time_total_s":5.25,"repeat":true}',4076961331);
INSERT INTO "events" VALUES(55,12.875,'checkpoint','00005','{"iteration":4,"path":"./trials/00005/checkpoints/4-2"}',3693522969);
INSERT INTO "events" VALUES(56,12.875,'result','00005','{"iteration":4,"metrics":{"loss":0.125,"note":{"\u00fc":[4,null,true]}},"time_total_s":5.25,"checkpoint":"./trials/00005/checkpoints/4-2"}',1631874510);
INSERT INTO "events" VALUES(57,12.875,'decided','00005','{"decision":"stop_run","reason":"enough for today","by":"Planner"}',1039037212);
INSERT INTO "events" VALUES(58,12.875,'interrupted','00005','{"reason":"enough for today"}',2751043920);
INSERT INTO "events" VALUES(59,12.875,'interrupted','00006','{"reason":"enough for today"}',2593517943);
INSERT INTO "events" VALUES(60,12.875,'deleted','00005','{"path":"./trials/00005/checkpoints/2-1"}',2791488100);
INSERT INTO "events" VALUES(61,13.75,'closed',NULL,'{"reason":"enough for today","finished":false}',3083359436);
INSERT INTO "events" VALUES(62,13.75,'changed',NULL,'{"version":1,"kernel":"0.1.0","host":"frozen","pid":1,"settings":{"searcher":{"$object":"<microtune.testing.fakes.FakeSearcher object at 0x7fdda05e3090>"},"scheduler":{"$object":"<__main__.Planner object at 0x7fdda05ae390>"},"executor":{"$object":"<microtune.testing.fakes.FakeExecutor object at 0x7fdda05ae890>"},"loggers":[],"plugins":[{"role":"scheduler","name":"Planner","class":"__main__.Planner","repr":"<__main__.Planner object at 0x7fdda05ae390>"},{"role":"searcher","name":"FakeSearcher","class":"microtune.testing.fakes.FakeSearcher","repr":"<microtune.testing.fakes.FakeSearcher object at 0x7fdda05e3090>"},{"role":"executor","name":"FakeExecutor","class":"microtune.testing.fakes.FakeExecutor","repr":"<microtune.testing.fakes.FakeExecutor object at 0x7fdda05ae890>"}]},"python":"3"}',2806595887);
INSERT INTO "events" VALUES(63,13.75,'launched','00005','{"attempt":3}',1166849777);
INSERT INTO "events" VALUES(64,13.75,'launched','00006','{"attempt":2}',2174753502);
INSERT INTO "events" VALUES(65,13.75,'result','00006','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":0.25}',2404619334);
INSERT INTO "events" VALUES(66,14.5,'result','00005','{"iteration":5,"metrics":{"loss":0.1,"note":{"\u00fc":[5,null,true]}},"time_total_s":6.0}',1296475192);
INSERT INTO "events" VALUES(67,15.0,'checkpoint','00006','{"iteration":2,"path":"./trials/00006/checkpoints/2-2"}',1925433825);
INSERT INTO "events" VALUES(68,15.0,'result','00006','{"iteration":2,"metrics":{"loss":0.3,"note":{"\u00fc":[2,null,true]}},"time_total_s":1.5,"checkpoint":"./trials/00006/checkpoints/2-2"}',817238764);
INSERT INTO "events" VALUES(69,15.0,'decided','00006','{"decision":"pause","reason":"rung 1","by":"Planner"}',3109279577);
INSERT INTO "events" VALUES(70,16.25,'ended','00005','{"state":"COMPLETED","reason":"completed"}',578825717);
INSERT INTO "events" VALUES(71,16.25,'closed',NULL,'{"reason":"all 6 trials have been started","finished":true}',937821953);
INSERT INTO "events" VALUES(72,16.25,'changed',NULL,'{"version":1,"kernel":"0.1.0","host":"frozen","pid":1,"retry_failed":true,"settings":{"num_samples":8,"searcher":{"$object":"<microtune.testing.fakes.FakeSearcher object at 0x7fdda07cc7d0>"},"scheduler":{"$object":"<__main__.Planner object at 0x7fdda0d22c10>"},"executor":{"$object":"<microtune.testing.fakes.FakeExecutor object at 0x7fdda0be8ad0>"},"plugins":[{"role":"scheduler","name":"Planner","class":"__main__.Planner","repr":"<__main__.Planner object at 0x7fdda0d22c10>"},{"role":"searcher","name":"FakeSearcher","class":"microtune.testing.fakes.FakeSearcher","repr":"<microtune.testing.fakes.FakeSearcher object at 0x7fdda07cc7d0>"},{"role":"executor","name":"FakeExecutor","class":"microtune.testing.fakes.FakeExecutor","repr":"<microtune.testing.fakes.FakeExecutor object at 0x7fdda0be8ad0>"}]},"python":"3"}',2241097683);
INSERT INTO "events" VALUES(73,16.25,'created','00007','{"number":7,"config":{"x":0.2,"kind":"b","fixed":{"deep":[1,"two"]}},"checkpoint":"./trials/00001/checkpoints/2-1","iteration":2,"retries":"00001"}',3830305485);
INSERT INTO "events" VALUES(74,16.25,'launched','00007','{"attempt":1}',686222887);
INSERT INTO "events" VALUES(75,16.25,'created','00008','{"number":8,"config":{"x":0.7,"kind":"b","fixed":{"deep":[1,"two"]}},"token":7}',3115294555);
INSERT INTO "events" VALUES(76,16.25,'launched','00008','{"attempt":1}',235228215);
INSERT INTO "events" VALUES(77,17.375,'result','00008','{"iteration":1,"metrics":{"loss":{"$float":"nan"},"note":{"\u00fc":[1,null,true]}},"time_total_s":1.125}',110498497);
INSERT INTO "events" VALUES(78,17.625,'result','00007','{"iteration":3,"metrics":{"loss":0.06666666666666667,"note":{"\u00fc":[3,null,true]}},"time_total_s":1.375}',2546430266);
INSERT INTO "events" VALUES(79,18.625,'checkpoint','00008','{"iteration":2,"path":"./trials/00008/checkpoints/2-1"}',2789099387);
INSERT INTO "events" VALUES(80,18.625,'result','00008','{"iteration":2,"metrics":{"loss":0.35,"note":{"\u00fc":[2,null,true]}},"time_total_s":2.375,"checkpoint":"./trials/00008/checkpoints/2-1"}',1950417125);
INSERT INTO "events" VALUES(81,19.125,'checkpoint','00007','{"iteration":4,"path":"./trials/00007/checkpoints/4-1"}',2768832436);
INSERT INTO "events" VALUES(82,19.125,'result','00007','{"iteration":4,"metrics":{"loss":0.05,"note":{"\u00fc":[4,null,true]}},"time_total_s":2.875,"checkpoint":"./trials/00007/checkpoints/4-1"}',1277717856);
INSERT INTO "events" VALUES(83,20.0,'result','00008','{"iteration":3,"metrics":{"loss":0.2333333333333333,"note":{"\u00fc":[3,null,true]}},"time_total_s":3.75}',2536430270);
INSERT INTO "events" VALUES(84,20.75,'result','00007','{"iteration":5,"metrics":{"loss":0.04,"note":{"\u00fc":[5,null,true]}},"time_total_s":4.5}',756168286);
INSERT INTO "events" VALUES(85,21.5,'checkpoint','00008','{"iteration":4,"path":"./trials/00008/checkpoints/4-1"}',2687701742);
INSERT INTO "events" VALUES(86,21.5,'result','00008','{"iteration":4,"metrics":{"loss":0.175,"note":{"\u00fc":[4,null,true]}},"time_total_s":5.25,"checkpoint":"./trials/00008/checkpoints/4-1"}',3700080664);
INSERT INTO "events" VALUES(87,21.5,'deleted','00008','{"path":"./trials/00008/checkpoints/2-1"}',3803737891);
INSERT INTO "events" VALUES(88,22.5,'ended','00007','{"state":"COMPLETED","reason":"completed"}',3152481883);
INSERT INTO "events" VALUES(89,22.5,'created','00009','{"number":9,"config":{"x":0.8,"kind":"a","fixed":{"deep":[1,"two"]}},"token":8}',1184117447);
INSERT INTO "events" VALUES(90,22.5,'launched','00009','{"attempt":1}',1847894014);
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
          WHERE kind IN ('created', 'resumed', 'launched', 'interrupted', 'ended')
             OR (kind = 'decided' AND json_extract(body, '$.decision') = 'pause') GROUP BY trial) AS latest USING (trial)
    JOIN events AS last ON last.seq = latest.seq
    LEFT JOIN (SELECT trial, max(seq) AS seq FROM events
               WHERE kind = 'resumed' AND json_extract(body, '$.config') IS NOT NULL GROUP BY trial) AS moved USING (trial)
    LEFT JOIN events AS again ON again.seq = moved.seq
    WHERE made.kind = 'created';
COMMIT;

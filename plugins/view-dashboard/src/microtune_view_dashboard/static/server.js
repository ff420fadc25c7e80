// Asking the server, and hearing from it.

/** The token of an address printed by --control. It leaves the address bar, and lives as long as this tab. */
export function takeToken() {
  const found = /^#token=(.+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem("token", found[1]);
  history.replaceState(null, "", "#/");
}

export async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()) || `the server answers ${answer.status}`);
  return answer.json();
}

/** Of a run, or of one of its trials: `path` is what the server calls it. */
export function stop(path) {
  return ask(`${path}/stop`, { method: "POST", headers: { "X-Token": sessionStorage.getItem("token") ?? "" } });
}

/** Call `heard({key: version})` at every news, `linked(true | false)` as the connection comes and goes. */
export function listen(heard, linked) {
  let source = null;
  let again = 0;
  function open() {
    clearTimeout(again);
    source?.close();
    source = new EventSource("api/stream");
    source.onopen = () => linked(true);
    source.onmessage = (event) => heard(JSON.parse(event.data));
    source.onerror = () => {
      linked(false);
      if (source.readyState === EventSource.CLOSED) again = setTimeout(open, 2000); // the browser has given up, we do not
    };
  }
  // A browser keeps six connections to one server: tabs that nobody sees let go of theirs.
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) return open();
    clearTimeout(again);
    source?.close();
  });
  open();
}

// The page can be read without this. It opens the part that the address names, searches, and tries requests.

const base = new URL(".", location.href); // of the API, also behind a proxy that adds a prefix
const operations = [...document.querySelectorAll("details")];

/** partOf returns the part of the page that the hash of an address names, or null. Addresses come from anywhere: "#%" is no text. */
function partOf(hash) {
  try { return document.getElementById(decodeURIComponent(hash.slice(1))); } catch { return null; }
}

function openNamed() {
  const part = partOf(location.hash);
  if (part?.localName !== "details") return;
  part.hidden = part.closest("section").hidden = false; // although the search did not find it
  part.open = true;
  part.scrollIntoView();
}
addEventListener("hashchange", openNamed);
document.querySelector("main").addEventListener("click", e => {
  const part = e.target.closest("summary")?.parentNode;
  if (part && !part.open) history.replaceState(null, "", `#${part.id}`); // so that the address can be given to others
  if (e.target.closest("a")?.hash === location.hash) openNamed(); // a link to the part that the address names already
});
openNamed();

document.querySelector(".skip").addEventListener("click", e => { e.preventDefault(); document.getElementById("main").focus(); });

addEventListener("keydown", e => { // the browser's own search finds words in closed parts, which docs.css has left out until now
  if ((e.ctrlKey || e.metaKey) && e.key === "f") document.documentElement.classList.add("searched");
});

const search = document.getElementById("search");
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const part of operations) {
    part.words ??= `${part.id} ${part.textContent}`.toLowerCase();
    part.hidden = !words.every(word => part.words.includes(word));
  }
  for (const section of document.querySelectorAll("section")) section.hidden = !section.querySelector("details:not([hidden])");
  for (const link of document.querySelectorAll("nav li a")) link.parentNode.hidden = partOf(link.hash).hidden;
  for (const group of document.querySelectorAll("nav div")) group.hidden = !group.querySelector("li:not([hidden])");
  document.getElementById("none").hidden = operations.some(part => !part.hidden);
});

// The token is that of the dashboard in the same tab.
const tokenKey = "pitchstream.token", token = document.getElementById("token");
try { token.value = sessionStorage.getItem(tokenKey) ?? ""; } catch { /* without storage, it is asked for again */ }
token.addEventListener("change", () => {
  try { sessionStorage.setItem(tokenKey, token.value.trim()); } catch { /* as above */ }
});

/** requestOf returns the address and the headers of a form. Fields without a value are not sent. */
function requestOf(form) {
  const headers = { Accept: form.querySelector(".accept").value }, query = [];
  let path = form.dataset.path.slice(1);
  for (const field of form.querySelectorAll("[data-in]")) {
    const value = field.value.trim();
    if (!value) continue;
    if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(value));
    else if (field.dataset.in === "query") query.push(`${field.name}=${encodeURIComponent(value).replaceAll("%2C", ",").replaceAll("%3A", ":")}`);
    else headers[field.name] = value;
  }
  if (token.value.trim()) headers.Authorization = `Bearer ${token.value.trim()}`;
  return { url: new URL(query.length ? `${path}?${query.join("&")}` : path, base).href, headers };
}

/** curlOf returns the same request for a shell. It names the token, and does not show it. */
function curlOf({ url, headers }) {
  const quoted = text => `'${text.replaceAll("'", "'\\''")}'`;
  const given = Object.entries(headers).map(([name, value]) =>
    name === "Authorization" ? ' -H "Authorization: Bearer $TOKEN"' : ` -H ${quoted(`${name}: ${value}`)}`);
  return `curl${isStream(headers.Accept) ? " -N" : ""} ${quoted(url)}${given.join("")}`;
}

const isStream = kind => /event-stream|ndjson/.test(kind);

/** indented is JSON in lines. It moves tokens only, because a number of JavaScript would lose digits of an identifier. */
function indented(json) {
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|[[{]\s*[\]}]|[[{\]},:]|\s+/g, token => {
    if (token[0] === '"') return token;
    if (/^\s/.test(token)) return "";
    if (/^[[{]./s.test(token)) return token[0] + token.at(-1);
    if (token === "{" || token === "[") { depth++; return token + line(); }
    if (token === "}" || token === "]") { depth--; return line() + token; }
    return token === "," ? `,${line()}` : ": ";
  });
}

const mostShown = 200_000; // characters of an answer

async function attempt(form) {
  const request = requestOf(form), output = form.querySelector(".output"), stop = form.querySelector(".stop");
  const status = output.querySelector(".status"), body = output.querySelector(".body"), link = new AbortController();
  form.link?.abort();
  form.link = link;
  stop.onclick = () => link.abort();
  output.hidden = false;
  output.querySelector(".curl").textContent = curlOf(request);
  status.textContent = "Waiting for the answer";
  status.classList.remove("failed");
  body.hidden = true;
  body.textContent = "";
  stop.hidden = false;
  const began = performance.now();
  let first = "";
  try {
    const answer = await fetch(request.url, { headers: request.headers, signal: link.signal, cache: "no-store" });
    const kind = answer.headers.get("Content-Type") ?? "", grows = answer.ok && isStream(kind);
    first = `${`${answer.status} ${answer.statusText}`.trim()}, ${Math.round(performance.now() - began)} ms`;
    status.classList.toggle("failed", answer.status >= 400);
    status.textContent = grows ? `${first}, receiving` : first;
    let text = "";
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader(); // a 304 has no body
    while (reader) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
      if (!grows) continue;
      text = text.slice(-mostShown);
      body.hidden = false;
      body.textContent = text;
      body.scrollTop = body.scrollHeight;
    }
    status.textContent = first;
    body.hidden = !text;
    const shown = /json\b/.test(kind) && !grows ? indented(text) : text;
    body.textContent = shown.length > mostShown ? `${shown.slice(0, mostShown)}\n… ${shown.length - mostShown} more characters` : shown;
  } catch (err) {
    if (form.link !== link) return; // tried again
    status.textContent = link.signal.aborted ? `${first || "No answer yet"}, stopped` : "The server does not answer.";
    status.classList.toggle("failed", !link.signal.aborted);
  } finally {
    if (form.link === link) stop.hidden = true;
  }
}

for (const form of document.querySelectorAll("form")) form.addEventListener("submit", e => { e.preventDefault(); attempt(form); });

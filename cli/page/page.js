// The page: it hands what is in its fields to the command line, which runs in a worker, and shows what that prints.

const POLICIES = "policies.yaml";
const REPLACED = "replaced.yaml";
const REQUEST = "request.yaml";
const PICTURE = "reach.svg";

// What the page shows at first.
const EXAMPLE = {
  tab: "explain",
  policies: `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: web-reads, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  action: ALLOW
  rules:
  - from:
    - source: {principals: [cluster.local/ns/shop/sa/web]}
    to:
    - operation: {methods: [GET], paths: ["/cart/*"]}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: no-admin, namespace: shop}
spec:
  action: DENY
  rules:
  - to:
    - operation: {paths: ["/cart/admin*"]}
    when:
    - {key: "request.headers[x-role]", notValues: [admin]}
`,
  workload: "shop/cart",
  labels: "app=cart",
  proxy: "sidecar",
  request: `method: GET
path: /cart/admin
headers: {x-role: guest}
source: {principal: spiffe://cluster.local/ns/shop/sa/web}
`,
  replaced: "",
};
const FIELDS = ["policies", "workload", "labels", "proxy", "request", "replaced"];
const TABS = ["explain", "analyze", "compare"];

const at = (id) => document.getElementById(id);
let tab = "explain";

// ---- the command line, in a worker

const bytesOf = (base64) => Uint8Array.from(atob(base64.trim()), (char) => char.charCodeAt(0));
const unpacked = async (bytes) =>
  new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());

const HANDLER = `
let ready;
onmessage = async ({data: {module, id, question}}) => {
  try {
    ready ??= wasm_bindgen({module_or_path: module});
    await ready;
    postMessage({id, answer: JSON.parse(wasm_bindgen.answer(JSON.stringify(question)))});
  } catch (error) {
    postMessage({id, failed: String(error)});
  }
};`;

let compiled;
let worker;
let asked = 0;
let waiting;

async function ask(question) {
  stop();
  const id = ++asked;
  compiled ??= unpacked(bytesOf(at("module").textContent)).then((bytes) => WebAssembly.compile(bytes));
  const module = await compiled;
  if (id !== asked) return undefined;
  worker ??= new Worker(URL.createObjectURL(new Blob([at("glue").textContent, HANDLER], {type: "text/javascript"})));
  at("stop").disabled = false;
  return new Promise((resolve) => {
    waiting = resolve;
    const end = (value) => {
      if (id !== asked) return;
      waiting = undefined;
      at("stop").disabled = true;
      // After a failure nothing is known of its memory.
      if (value.failed !== undefined) drop();
      resolve(value);
    };
    worker.onmessage = ({data}) => data.id === id && end(data);
    worker.onerror = (event) => end({failed: event.message || "the worker ended"});
    worker.postMessage({module, id, question});
  });
}

function drop() {
  worker?.terminate();
  worker = undefined;
}

// Ends what is being asked, if something is.
function stop() {
  if (waiting === undefined) return;
  drop();
  asked++;
  waiting({stopped: true});
  waiting = undefined;
  at("stop").disabled = true;
}

// ---- the question

function question() {
  const files = {[POLICIES]: at("policies").value};
  const words = [tab === "explain" ? "explain" : "analyze", POLICIES];
  const workload = at("workload").value.trim();
  const labels = at("labels").value.replace(/\s*,\s*/g, ",").trim();
  if (workload) words.push("--workload", workload);
  if (labels) words.push("--labels", labels);
  if (at("proxy").value !== "sidecar") words.push("--proxy", at("proxy").value);
  if (workload) words.push("--allow-no-policies");
  if (tab === "explain") {
    const text = at("request").value.trim();
    if (/^\[\d{4}-/.test(text)) {
      words.push("--log-line", text);
    } else {
      files[REQUEST] = at("request").value;
      words.push("--request", REQUEST);
    }
  } else if (tab === "compare") {
    files[REPLACED] = at("replaced").value;
    words.push("--against", REPLACED);
  } else {
    words.push("--reach", "--graph", PICTURE);
  }
  return {files, words};
}

const quoted = (word) => (/^[\w./=,:@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function verdict({output, notes, code}) {
  const first = (code === 2 || !output ? notes : output).split("\n").find((line) => line.trim()) ?? "";
  if (code === 2 || !output) return ["doubt", first || "no answer"];
  if (tab === "explain") {
    return [{allow: "good", deny: "bad"}[first.split(":")[0]] ?? "doubt", first];
  }
  return [code === 0 ? "good" : "bad", code === 0 ? "Nothing was found" : "See what was found"];
}

let shown = 0;
let later;

async function run() {
  clearTimeout(later);
  const number = ++shown;
  const asks = question();
  at("answer").setAttribute("aria-busy", "true");
  at("command").textContent = `The same on a command line: weir ${asks.words.map(quoted).join(" ")}`;
  at("verdict").className = "";
  at("verdict").textContent = "…";
  const result = await ask(asks);
  if (number !== shown || result === undefined) return;
  const {answer} = result;
  const [kind, words] = answer ? verdict(answer) : ["doubt", result.stopped ? "stopped" : `It failed: ${result.failed}`];
  at("output").textContent = answer?.output ?? "";
  at("notes").textContent = answer?.notes ?? "";
  at("notes").hidden = !answer?.notes;
  picture(answer?.files?.[PICTURE]);
  at("verdict").className = kind;
  at("verdict").textContent = words;
  at("answer").setAttribute("aria-busy", "false");
}

function picture(svg) {
  const image = at("picture");
  if (image.src) URL.revokeObjectURL(image.src);
  image.hidden = !svg;
  if (svg) image.src = URL.createObjectURL(new Blob([svg], {type: "image/svg+xml"}));
  else image.removeAttribute("src");
}

// ---- the fields

function choose(name) {
  tab = name;
  for (const other of TABS) {
    at(`tab-${other}`).setAttribute("aria-selected", String(other === name));
    at(`ask-${other}`).hidden = other !== name;
  }
}

function fill(state) {
  for (const field of FIELDS) at(field).value = String(state?.[field] ?? EXAMPLE[field]);
  if (at("proxy").selectedIndex < 0) at("proxy").value = "sidecar";
  choose(TABS.includes(state?.tab) ? state.tab : "explain");
}

const state = () => Object.fromEntries([["tab", tab], ...FIELDS.map((field) => [field, at(field).value])]);

function fromLink() {
  try {
    return JSON.parse(decodeURIComponent(location.hash.slice(1)));
  } catch {
    return undefined;
  }
}

const soon = () => {
  clearTimeout(later);
  // What may take long is asked for by the button.
  if (tab === "explain") later = setTimeout(run, 300);
};

function listen() {
  for (const field of FIELDS) at(field).addEventListener("input", soon);
  for (const name of TABS) {
    at(`tab-${name}`).addEventListener("click", () => {
      choose(name);
      run();
    });
  }
  at("ask").addEventListener("click", run);
  at("stop").addEventListener("click", stop);
  addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  });
  addEventListener("hashchange", () => {
    fill(fromLink());
    run();
  });
  at("share").addEventListener("click", async () => {
    history.replaceState(null, "", `#${encodeURIComponent(JSON.stringify(state()))}`);
    await navigator.clipboard?.writeText(location.href).catch(() => undefined);
  });
  for (const field of ["policies", "replaced"]) {
    const area = at(field);
    area.addEventListener("dragover", (event) => {
      event.preventDefault();
      area.classList.add("over");
    });
    area.addEventListener("dragleave", () => area.classList.remove("over"));
    area.addEventListener("drop", async (event) => {
      event.preventDefault();
      area.classList.remove("over");
      const texts = await Promise.all([...event.dataTransfer.files].map((file) => file.text()));
      if (texts.length === 0) return;
      area.value = texts.map((text) => text.trimEnd()).join("\n---\n") + "\n";
      run();
    });
  }
}

fill(fromLink() ?? JSON.parse(at("given").textContent));
listen();
run();

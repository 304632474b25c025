// The documentation page: reads /openapi.json, lists the operations by service, and lets one try each.

const METHODS = ["get", "post", "put", "patch", "delete"];
// What is shown of a stream; older events are dropped, so that a page left open does not grow.
const EVENTS_SHOWN = 200;
// How deep examples follow messages that hold messages.
const EXAMPLE_DEPTH = 4;

const element = (id) => document.getElementById(id);

/** Makes an element: attributes (functions are listeners) and children (strings become text, never HTML). */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

async function start() {
  const api = await (await fetch("/openapi.json")).json();
  element("title").textContent = api.info.title;
  element("version").textContent = api.info.version;
  element("intro").textContent = api.info.description;
  for (const tag of api.tags) {
    const operations = Object.entries(api.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]?.tags.includes(tag.name))
        .map((method) => ({ path, method, ...item[method] })));
    const short = tag.name.split(".").pop();
    const index = make("div", {}, make("h2", {}, short));
    const section = make("section", {}, make("h2", { title: tag.name }, short), make("p", {}, tag.description));
    for (const operation of operations) {
      const shown = show(api, operation);
      const link = make("a", { href: `#${operation.operationId}`, title: operation.summary, click: () => { shown.open = true; } },
        make("span", { class: `method ${operation.method}` }, operation.method), operation.operationId.split("_")[1]);
      const words = `${operation.path} ${operation.operationId} ${operation.summary}`.toLowerCase();
      for (const part of [shown, link]) part.dataset.words = words;
      index.append(link);
      section.append(shown);
    }
    element("index").append(index);
    element("operations").append(section);
  }
  element("filter").addEventListener("input", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      element("filter").focus();
    }
  });
  const wanted = location.hash && element(location.hash.slice(1));
  if (wanted) { wanted.open = true; wanted.scrollIntoView(); }
}

function filter() {
  const words = element("filter").value.toLowerCase().split(/\s+/);
  const fits = (part) => words.every((word) => part.dataset.words.includes(word));
  for (const part of document.querySelectorAll("[data-words]")) part.hidden = !fits(part);
  for (const group of document.querySelectorAll("section, #index > div")) {
    group.hidden = !group.querySelector("[data-words]:not([hidden])");
  }
}

/** One operation, whose inside is made when it is first opened. */
function show(api, operation) {
  const summary = make("summary", {},
    make("span", { class: `method ${operation.method}` }, operation.method),
    make("code", {}, operation.path),
    make("span", { class: "what" }, operation.summary));
  const shown = make("details", {
    id: operation.operationId,
    class: operation.deprecated ? "operation deprecated" : "operation",
    toggle: () => { if (shown.open && shown.children.length === 1) shown.append(inside(api, operation)); },
  }, summary);
  return shown;
}

function inside(api, operation) {
  const answer = operation.responses["200"].content;
  const streamed = Boolean(answer["text/event-stream"]);
  const tags = [operation["x-grpc-method"].slice(1), operation["x-permission"], streamed && "stream",
    operation.deprecated && "deprecated"].filter(Boolean);
  const schema = streamed ? answer["text/event-stream"].schema["x-event-data"] : answer["application/json"].schema;
  return make("div", { class: "body" },
    make("p", {}, operation.description.replaceAll("`", "")),
    make("div", { class: "tags" }, ...tags.map((tag) => make("span", {}, tag))),
    form(api, operation, streamed),
    make("details", { class: "schema" }, make("summary", {}, streamed ? "One message" : "The answer"),
      make("pre", {}, JSON.stringify(example(api, schema), null, 2))));
}

function form(api, operation, streamed) {
  const inputs = (operation.parameters ?? []).map((parameter) => ({ parameter, input: input(parameter) }));
  const schema = operation.requestBody?.content["application/json"].schema;
  const body = schema && make("textarea", { "aria-label": "Body", spellcheck: "false" });
  if (body) body.value = JSON.stringify(example(api, schema, inputs.map(({ parameter }) => parameter.name.split(".").pop())), null, 2);
  const output = make("output", { "aria-live": "polite" });
  const stop = make("button", { type: "button", disabled: true }, "Stop");
  const fields = inputs.length > 0 && make("fieldset", {}, make("legend", {}, "Parameters"),
    ...inputs.map(({ parameter, input }) => make("label", { class: "parameter" },
      make("b", {}, parameter.name, parameter.required && make("i", { title: "required" }, " *") || ""),
      input, make("small", {}, parameter.description ?? ""))));
  return make("form", {
    submit: (event) => { event.preventDefault(); send(operation, inputs, body, output, stop); },
    keydown: (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.currentTarget.requestSubmit(); },
  }, fields || "", body ? make("div", {}, make("h3", {}, "Body"), body) : "",
    make("div", { class: "actions" }, make("button", { class: "send" }, "Send"), streamed ? stop : "",
      make("small", {}, body ? "Ctrl+Enter sends" : "")), output);
}

function input(parameter) {
  const type = parameter.schema.type === "array" ? "one per comma" : parameter.schema.type ?? "";
  const value = parameter.name === "requestId" ? requestId() : undefined;
  return make("input", { name: parameter.name, value, required: parameter.required, placeholder: String(type), spellcheck: "false" });
}

/** A new id for a write; randomUUID exists only where the page came over TLS or from this machine. */
function requestId() {
  return crypto.randomUUID?.() ?? String(Date.now());
}

/** The URL with the parameters that are filled in; lists are given with commas. */
function address(operation, inputs) {
  let path = operation.path;
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") {
      const value = encodeURIComponent(input.value);
      path = path.replace(`{${parameter.name}}`, () => value);
    } else if (input.value !== "") {
      const values = parameter.schema.type === "array" ? input.value.split(",") : [input.value];
      for (const value of values) query.append(parameter.name, value.trim());
    }
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

async function send(operation, inputs, body, output, stop) {
  const headers = {};
  const token = element("token").value.trim();
  if (token) headers.authorization = `Bearer ${token}`;
  if (body) headers["content-type"] = "application/json";
  const abort = new AbortController();
  const end = () => { stop.disabled = true; };
  stop.onclick = () => abort.abort();
  const began = performance.now();
  output.replaceChildren("…");
  try {
    const options = { method: operation.method.toUpperCase(), headers, body: body?.value, signal: abort.signal };
    const response = await fetch(address(operation, inputs), options);
    const head = make("div", {},
      make("b", { class: response.ok ? "good" : "bad" }, `${response.status} ${response.statusText} `),
      make("small", {}, `${Math.round(performance.now() - began)} ms · trace ${response.headers.get("traceresponse")?.split("-")[1] ?? "none"}`));
    const text = make("pre", { tabindex: "0" });
    output.replaceChildren(head, text);
    if (response.headers.get("content-type") === "text/event-stream") {
      stop.disabled = false;
      await events(response.body, text);
    } else {
      const value = JSON.parse(await response.text());
      text.textContent = JSON.stringify(value, null, 2);
      const given = value.tokens?.accessToken ?? value.accessToken;
      if (given) element("token").value = given;
    }
  } catch (error) {
    if (error.name !== "AbortError") output.append(make("p", { class: "bad" }, String(error)));
  }
  end();
}

async function events(stream, text) {
  const shown = [];
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n\n");
    rest = parts.pop();
    shown.push(...parts.filter((part) => !part.startsWith(":")));
    text.textContent = shown.slice(-EVENTS_SHOWN).join("\n\n");
    shown.splice(0, shown.length - EVENTS_SHOWN);
    text.scrollTop = text.scrollHeight;
  }
}

/** A value of the schema with every field at its simplest; what the path already holds is left out. */
function example(api, schema, without = [], depth = 0) {
  if (schema.$ref) {
    if (depth > EXAMPLE_DEPTH) return {};
    return example(api, api.components.schemas[schema.$ref.split("/").pop()], without, depth + 1);
  }
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (schema.enum) return schema.enum[1] ?? schema.enum[0];
  if (schema.example !== undefined) return schema.example;
  switch (type) {
    case "object": return Object.fromEntries(Object.entries(schema.properties ?? {})
      .filter(([name]) => !without.includes(name))
      // Of a oneof only the first member may stand.
      .filter(([, inner], at, all) => !inner["x-oneof"] || all.findIndex(([, other]) => other["x-oneof"] === inner["x-oneof"]) === at)
      .map(([name, inner]) => [name, name === "requestId" ? requestId() : example(api, inner, [], depth)]));
    case "array": return depth > EXAMPLE_DEPTH ? [] : [example(api, schema.items, [], depth + 1)];
    case "string": return schema.format === "date-time" ? new Date().toISOString()
      : /int64/.test(schema.format ?? "") ? "0" : "";
    case "boolean": return false;
    case "integer": case "number": return 0;
    default: return null;
  }
}

start().catch((error) => element("operations").append(make("p", { class: "bad" }, `The contract could not be read: ${error}`)));

// SCIMMY, which bench/scim.py compares with, over Maps in memory. It is started once and asked line by line, in JSON:
//
//   {"fill": {"users": [resources], "ids": [ids]}}       ->  {"filled": how many there are}
//   {"group": {"id": id, "resource": group}}             ->  {"filled": how many there are}
//   {"run": [[method, path, query, body or null], …]}    ->  {"nanoseconds": [of each]} or {"refused": why}
//
// The time is taken here, around each request: from the text of its body to the text of its answer, as for the others. The
// handlers are those of SCIMMY's documentation: one resource by its id, or all of them, which its own filter then matches and
// its own list response cuts to a page.
"use strict";

const readline = require("node:readline");
const { randomBytes } = require("node:crypto");

const SCIMMY = require("scimmy").default ?? require("scimmy");

const KINDS = { Users: SCIMMY.Resources.User, Groups: SCIMMY.Resources.Group };
const kept = { Users: new Map(), Groups: new Map() };

for (const [endpoint, Kind] of Object.entries(KINDS)) {
  const resources = kept[endpoint];
  SCIMMY.Resources.declare(Kind)
    .ingress((asked, instance) => {
      const id = asked.id ?? randomBytes(12).toString("hex");
      const now = new Date().toISOString();
      const created = resources.get(id)?.meta?.created ?? now;
      const resource = { ...JSON.parse(JSON.stringify(instance)), id, meta: { created, lastModified: now } };
      resources.set(id, resource);
      return resource;
    })
    .egress((asked) => {
      if (asked.id) return resources.get(asked.id) ?? Promise.reject(new SCIMMY.Types.Error(404, null, "not found"));
      const all = [...resources.values()];
      return asked.filter ? asked.filter.match(all) : all;
    })
    .degress((asked) => {
      resources.delete(asked.id);
    });
}
SCIMMY.Resources.User.basepath("/scim");
SCIMMY.Resources.Group.basepath("/scim");

async function answered([method, path, query, body]) {
  const [, endpoint, id] = path.split("/");
  const parameters = { ...query };
  for (const name of ["startIndex", "count"]) if (name in parameters) parameters[name] = Number(parameters[name]);
  const Kind = KINDS[endpoint];
  const resource = id ? new Kind(id, parameters) : new Kind(parameters);
  const content = body === null ? undefined : JSON.parse(body);
  const answers = {
    GET: () => resource.read(),
    POST: () => resource.write(content),
    PATCH: async () => (await resource.patch(content)) ?? resource.read(),
  };
  return JSON.stringify(await answers[method]());
}

async function answer(asked) {
  if (asked.fill) {
    const meta = { created: new Date().toISOString(), lastModified: new Date().toISOString() };
    asked.fill.users.forEach((user, place) => kept.Users.set(asked.fill.ids[place], { ...user, id: asked.fill.ids[place], meta }));
    return { filled: kept.Users.size };
  }
  if (asked.group) {
    kept.Groups.set(asked.group.id, { ...asked.group.resource, id: asked.group.id });
    return { filled: kept.Users.size };
  }
  const nanoseconds = [];
  for (const request of asked.run) {
    const started = process.hrtime.bigint();
    try {
      const text = await answered(request);
      nanoseconds.push(Number(process.hrtime.bigint() - started));
      const found = JSON.parse(text);
      if (found.Resources && found.Resources.length === 0) throw new Error("nothing was found");
    } catch (error) {
      return { refused: `${request.slice(0, 2).join(" ")}: ${error.stack}` };
    }
  }
  return { nanoseconds };
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
}

main();

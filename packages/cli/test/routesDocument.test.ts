import { routeJsonSchema } from "leat"
import { describe, expect, it } from "vitest"
import { Project } from "./Project.js"
import { eventProto, shop } from "./protos.js"

const document = `version: 12
clusters:
  fast: { transport: memory, partitions: 4 }
  far: { transport: memory }
policies:
  careful: [{ on: ["*"], retry: { base: 1 second }, then: halt }]
routes:
  - match: { stream: "shop.*", source: "web-*" }
    level: queued
    to:
      - { cluster: fast, topic: "web.{stream}", policy: [careful, standard], linger: 90 millis, buffer: { bytes: 77777 } }
      - { cluster: far, topic: "{stream}", required: false }
  - match: { stream: "shop.orders" }
    to: [{ cluster: far, topic: "all.{stream}" }]
subscriptions:
  - match: { stream: "shop.*", group: billing }
    concurrency: 3
    retryTopics: { delays: [5 seconds, 1 hour] }
`

describe("leat routes validate", () => {
  it("says that a document has no faults, and what it has", async () => {
    using project = new Project({ "routes.yaml": document })
    expect(await project.leat(["routes", "validate", "routes.yaml"])).toEqual({
      code: 0,
      stdout: "routes.yaml has no faults: version 12, 2 clusters, 2 routes\n",
      stderr: ""
    })
    expect((await project.leatJson(["routes", "validate", "routes.yaml"])).report).toEqual({
      file: "routes.yaml",
      faults: [],
      notes: [],
      contracts: 0,
      version: 12,
      clusters: 2,
      routes: 2
    })
  })

  it("says every fault with its place, and exits 3", async () => {
    const bad = document
      .replace("transport: memory,", 'transport: "@leat/nats",')
      .replace("cluster: far, topic: all", "cluster: fat, topic: all")
      .replace("level: queued", "levl: queued")
    using project = new Project({ "bad.yaml": bad.replace("to: [{ cluster: far", "to: [{ cluster: fat") })
    const { code, stdout, stderr, report } = await project.leatJson(["routes", "validate", "bad.yaml"])
    expect(code).toBe(3)
    const faults = [
      [
        "routes[0].levl",
        "is no field of a route, which has match, level, partitioner, objective, to; did you mean level?"
      ],
      [
        "clusters.fast.transport",
        'no driver named @leat/nats; the application allows memory, @leat/log, @leat/kafkajs, @leat/confluent; in code it is allowed by import { nats } from "@leat/nats" and drivers: [nats] for open'
      ],
      ["routes[1].to[0].cluster", "no cluster named fat; there is fast, far"]
    ].map(([path, message]) => ({ path, message }))
    expect(report).toMatchObject({ file: "bad.yaml", faults })
    expect(stderr).toBe(
      `leat: 3 faults:\n${faults.map(({ path, message }) => `bad.yaml: ${path}: ${message}\n`).join("")}`
    )
    expect(stdout.trim().split("\n")).toHaveLength(1)
  })

  it.each([
    [
      "cut off",
      document.slice(0, document.indexOf("policies:") + 30),
      /^leat: 1 fault:\nf\.yaml: line 6: not YAML or JSON: /
    ],
    ["empty", "", /^leat: 1 fault:\nf\.yaml: routes: the text holds nothing/],
    ["a list", "[]", /^leat: 1 fault:\nf\.yaml: routes: /],
    [
      "full of aliases",
      `a: &a [x, x]\nb: &b [*a, *a]\n${"c: [*b, *b, *b, *b]\n".repeat(1)}version: 1`,
      /^leat: \d+ faults?:\n/
    ]
  ])("says what a text is that is %s", async (_, text, told) => {
    using project = new Project({ "f.yaml": text })
    const { code, stdout, stderr } = await project.leat(["routes", "validate", "f.yaml"])
    expect([code, stdout]).toEqual([3, ""])
    expect(stderr).toMatch(told)
  })

  it("checks the contracts of the folder proto, or of the one that is named", async () => {
    const lost = { "other/lost.proto": eventProto("Lost", 'stream: "risk.lost" key: "id"', "string id = 1;") }
    using project = new Project({ ...shop, ...lost, "routes.yaml": document })
    const own = await project.leat(["routes", "validate", "routes.yaml", "--proto", "other"])
    expect([own.code, own.stderr]).toEqual([
      3,
      'leat: 1 fault:\nroutes.yaml: routes: no route matches stream risk.lost of contract shop.v1.Lost; add one, or a last route for "*"\n'
    ])
    const found = await project.leat(["routes", "validate", "routes.yaml"])
    expect(found).toEqual({
      code: 0,
      stdout: "routes.yaml has no faults: version 12, 2 clusters, 2 routes, with 2 contracts\n",
      stderr: ""
    })
  })

  it("notes what it could not check", async () => {
    const far = document.replace("far: { transport: memory }", 'far: { transport: "@leat/kafkajs", brokers: 7 }')
    using project = new Project({ "routes.yaml": far })
    const { code, stdout } = await project.leat(["routes", "validate", "routes.yaml"])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^note: clusters with transport @leat\/kafkajs were not checked: @leat\/kafkajs is not installed here/
    )
  })
})

describe("leat routes explain", () => {
  it("tells the route, its legs and where each setting comes from", async () => {
    using project = new Project({ "routes.yaml": document })
    const { code, stdout } = await project.leat([
      "routes",
      "explain",
      "routes.yaml",
      "shop.orders",
      "--source",
      "web-1"
    ])
    expect(code).toBe(0)
    const lines = stdout.split("\n").map((line) => line.replaceAll(/ {2,}/g, "  "))
    expect(lines[0]).toBe("stream shop.orders from source web-1, version 12 of routes.yaml")
    expect(lines[1]).toBe("routes[0] (stream shop.*, source web-*): the first that matches")
    expect(lines).toEqual(
      expect.arrayContaining([
        "  level  queued  routes[0].level",
        "  partitioner  murmur2  default",
        "leg fast/web.shop.orders, which groups read",
        "  transport  memory  clusters.fast",
        "  policy  careful (policies.careful), standard (built in)  routes[0].to[0].policy",
        "  buffer.bytes  77777  routes[0].to[0].buffer.bytes",
        "  linger  90 ms  routes[0].to[0].linger",
        "  batch.records  4096  default",
        "leg far/shop.orders",
        "  required  false  routes[0].to[1].required",
        "  policy  strict (built in)  default"
      ])
    )
    expect(stdout).not.toContain("routes[1]")
  })

  it("tells the fallbacks of a leg in the order in which they are tried", async () => {
    const told = async (fallback: string) => {
      const policies = "policies: { falling: [{ on: [passing], then: fallback }] }"
      const clusters =
        "clusters: { fast: { transport: memory }, near: { transport: memory }, next: { transport: memory } }"
      const to = `[{ cluster: fast, topic: "{stream}", policy: falling, fallback: ${fallback} }]`
      const text = `version: 1\n${clusters}\n${policies}\nroutes: [{ match: { stream: "*" }, to: ${to} }]\n`
      using project = new Project({ "routes.yaml": text })
      const { stdout } = await project.leat(["routes", "explain", "routes.yaml", "shop.orders"])
      return stdout
        .split("\n")
        .find((line) => line.trim().startsWith("fallback"))
        ?.replaceAll(/ {2,}/g, "  ")
    }
    const one = "{ cluster: near, back: stay }"
    expect(await told(one)).toBe("  fallback  cluster near, back: stay  routes[0].to[0].fallback")
    expect(await told(`[${one}, { cluster: next, back: stay }]`)).toBe(
      "  fallback  clusters near, then next, back: stay  routes[0].to[0].fallback"
    )
  })

  it("tells each route that some source takes where no source is named", async () => {
    using project = new Project({ "routes.yaml": document })
    const { stdout } = await project.leat(["routes", "explain", "routes.yaml", "shop.orders"])
    expect(stdout.split("\n").filter((line) => line.startsWith("routes["))).toEqual([
      "routes[0] (stream shop.*, source web-*): for web-*",
      "routes[1] (stream shop.orders, source *): for all other sources"
    ])
  })

  it("tells how a group reads it", async () => {
    using project = new Project({ "routes.yaml": document })
    const args = ["routes", "explain", "routes.yaml", "shop.orders", "--group"]
    const { report } = await project.leatJson([...args, "billing"])
    expect(report).toMatchObject({
      version: 12,
      routes: [{ path: "routes[0]" }, { path: "routes[1]", legs: [{ sink: "far/all.shop.orders", isRead: true }] }],
      group: { group: "billing" }
    })
    const { settings } = (report as { readonly group: { readonly settings: ReadonlyArray<object> } }).group
    expect(settings).toEqual(
      expect.arrayContaining([
        { setting: "concurrency", value: "3", from: "subscriptions[0].concurrency" },
        { setting: "retryTopics", value: "5 seconds, 1 hour", from: "subscriptions[0].retryTopics" },
        { setting: "policy", value: "standard (built in)", from: "default" }
      ])
    )
    const other = await project.leat([...args, "shipping"])
    expect(other.stdout).toMatch(/ {2}concurrency +16 +default\n/)
  })

  it("says that no route matches, and exits 3", async () => {
    using project = new Project({ "routes.yaml": document })
    const { code, stderr } = await project.leat(["routes", "explain", "routes.yaml", "risk.x", "--source", "s"])
    expect([code, stderr]).toEqual([
      3,
      'leat: no route of routes.yaml matches stream risk.x from source s: it cannot be opened; add one, or a last route for "*"\n'
    ])
  })

  it("tells the faults of a document that has some", async () => {
    using project = new Project({ "routes.yaml": document.replace("level: queued", "level: qeued") })
    const { code, stderr } = await project.leat(["routes", "explain", "routes.yaml", "shop.orders"])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^leat: routes\.yaml: routes\[0\]\.level: /)
  })
})

it("leat routes schema prints the schema of leat, on one line with --json", async () => {
  using project = new Project()
  const { code, stdout } = await project.leat(["routes", "schema"])
  expect([code, JSON.parse(stdout)]).toEqual([0, routeJsonSchema()])
  const told = await project.leatJson(["routes", "schema"])
  expect([told.report, told.stdout.trim().split("\n").length]).toEqual([routeJsonSchema(), 1])
})

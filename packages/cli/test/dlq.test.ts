import { join } from "node:path"
import { Effect, Option, Stream } from "effect"
import { type DeadLetter, deadLetterHeaders } from "leat/transport"
import { describe, expect, it } from "vitest"
import { fillLog, onLog, rawRead } from "./fillLog.js"
import { Project } from "./Project.js"
import { eventProto } from "./protos.js"

const order = eventProto(
  "Order",
  'stream: "shop.orders" key: "id"',
  "string id = 1; string address = 2 [(leat.v1.personal) = true];"
)
const dlq = "shop.orders.billing.dlq"
const whose = ["--topic", "shop.orders", "--group", "billing"]

/** Protobuf of an order. */
const orderBytes = (id: string): Buffer => {
  const address = "12 Mill Lane"
  return Buffer.from(`\n${String.fromCharCode(id.length)}${id}\u0012${String.fromCharCode(address.length)}${address}`)
}

const atMs = Date.UTC(2026, 10, 24, 9)
const letterOf = (key: string, more: Partial<DeadLetter> = {}) => {
  const letter: DeadLetter = {
    by: "leat",
    topic: "shop.orders",
    partition: 1,
    position: 4711n,
    group: "billing",
    stage: "handle",
    tag: "CardDeclined",
    message: "no money",
    attempts: 6,
    atMs,
    timeMs: atMs - 60_000,
    replays: 0,
    ...more
  }
  const headers = [...deadLetterHeaders(letter), ["source", Buffer.from("web")] as const]
  return { key, value: orderBytes(key), headers }
}

/** A project with the contract, its topic, and dead letters in partition 1: of o-1, o-2 and o-3. */
async function withLetters(): Promise<Project> {
  const project = new Project({ "proto/shop/v1/order.proto": order })
  const directory = join(project.folder, "data")
  await fillLog(directory, "shop.orders", 0, [{ key: "o-1", value: orderBytes("o-1") }])
  await fillLog(directory, dlq, 1, [
    letterOf("o-1"),
    letterOf("o-2", { position: 4712n, tag: "Malformed", stage: "decode", atMs: atMs + 3_600_000 }),
    letterOf("o-3", { position: 4713n, replays: 3, moves: 2 })
  ])
  return project
}

/** Somebody reads the topic, and settles something of it. */
const readBy = (project: Project, group: string) =>
  onLog(join(project.folder, "data"), (log) =>
    log.subscribe({ topic: "shop.orders", group, from: "earliest", drainMs: 100 }).pipe(
      Stream.mapEffect((lane) =>
        lane.partition === 0
          ? Stream.runHead(
              Stream.mapEffect(lane.batches, ({ records }) => lane.settle((records[0]?.position ?? 0n) + 1n))
            )
          : Effect.succeed(Option.none())
      ),
      Stream.filter(Option.isSome),
      Stream.runHead,
      Effect.scoped
    )
  )

const failing = async (project: Project, ...args: ReadonlyArray<string>) => {
  const { code, stdout, stderr } = await project.leat(["dlq", ...args])
  expect(stdout).toBe("")
  return [code, stderr]
}

describe("leat dlq list", () => {
  it("counts the letters of each group where none is named", async () => {
    using project = await withLetters()
    await fillLog(join(project.folder, "data"), "strange.dlq", 0, [{ key: "a", value: "1" }])
    const { code, stdout, stderr } = await project.leat(["dlq", "list"])
    expect([code, stderr]).toEqual([0, ""])
    expect(stdout).toMatch(/^TOPIC +GROUP +OPEN +REPLAYED +DROPPED +OLDEST OPEN\n/)
    expect(stdout).toMatch(/\nshop\.orders +billing +3 +0 +0 +2026-11-24T09:00:00\.000Z\n/)
    expect(stdout).toMatch(/\nstrange\.dlq +- +1 .*\n4 open dead letters\n$/)
    const { report } = await project.leatJson(["dlq", "list", "--stream", "shop.orders"])
    expect(report).toEqual({
      open: 3,
      topics: [
        {
          deadLetters: dlq,
          topic: "shop.orders",
          group: "billing",
          open: 3,
          replayed: 0,
          dropped: 0,
          oldestOpen: "2026-11-24T09:00:00.000Z"
        }
      ]
    })
    expect((await project.leatJson(["dlq", "list", "--group", "mailing"])).report).toEqual({ open: 0, topics: [] })
  })

  it("lists letters of a group: what failed, where it came from, and the event with personal data masked", async () => {
    using project = await withLetters()
    const { code, stdout, stderr } = await project.leat(["dlq", "list", ...whose, "--limit", "2"])
    expect([code, stderr]).toEqual([0, ""])
    const event = (id: string) => `{"id":"${id}","address":"***"}`
    expect(stdout.split("\n")).toEqual([
      `1/0 handle CardDeclined 2026-11-24T08:59:00.000Z shop.orders/1@4711 o-1 ${event("o-1")}`,
      `1/1 decode Malformed 2026-11-24T08:59:00.000Z shop.orders/1@4712 o-2 ${event("o-2")}`,
      "2 open dead letters, and more",
      ""
    ])
    const unmasked = await project.leat(["dlq", "list", ...whose, "--unmasked"])
    expect(unmasked.stdout).toContain('"address":"12 Mill Lane"')
    expect(unmasked.stdout).toMatch(/\n3 open dead letters\n$/)
  })

  it("prints one object with --json", async () => {
    using project = await withLetters()
    const { code, stdout, report } = await project.leatJson(["dlq", "list", ...whose, "--limit", "1"])
    expect(code).toBe(0)
    expect(stdout).not.toContain("Mill")
    expect(report).toEqual({
      topic: "shop.orders",
      group: "billing",
      count: 1,
      isComplete: false,
      letters: [
        {
          letter: "1/0",
          state: "open",
          setAside: "2026-11-24T09:00:00.000Z",
          by: "leat",
          topic: "shop.orders",
          partition: 1,
          position: 4711,
          group: "billing",
          stage: "handle",
          tag: "CardDeclined",
          message: "no money",
          attempts: 6,
          replays: 0,
          duplicates: 0,
          record: {
            topic: "shop.orders",
            partition: 1,
            position: 4711,
            time: "2026-11-24T08:59:00.000Z",
            timeMs: atMs - 60_000,
            type: "shop.v1.Order",
            key: "o-1",
            event: { id: "o-1", address: "***" }
          }
        }
      ]
    })
    const unmasked = await project.leatJson(["dlq", "list", ...whose, "--unmasked"])
    expect(unmasked.report).toMatchObject({
      isComplete: true,
      letters: [
        { record: { event: { address: "12 Mill Lane" }, headers: [["source", "d2Vi"]] } },
        expect.anything(),
        expect.anything()
      ]
    })
  })

  it("lists those of which all that --where says is so", async () => {
    using project = await withLetters()
    const where = ["--where", "tag=CardDeclined", "--where", "key=o-3"]
    const { report } = await project.leatJson(["dlq", "list", ...whose, ...where])
    expect(report).toMatchObject({ count: 1, letters: [{ letter: "1/2" }] })
  })

  it("lists what Spring wrote to a topic that is named, and says when a topic has no dead letters", async () => {
    using project = await withLetters()
    const headers = [
      ["kafka_dlt-original-topic", Buffer.from("shop.orders")] as const,
      ["kafka_dlt-exception-fqcn", Buffer.from("com.shop.Bad\nCard")] as const
    ]
    await fillLog(join(project.folder, "data"), "orders.DLT", 0, [{ key: "o-9", value: orderBytes("o-9"), headers }])
    const dlt = await project.leat(["dlq", "list", "--topic", "orders.DLT", "--stream", "shop.orders"])
    expect(dlt.stdout).toMatch(
      /^0\/0 com\.shop\.Bad\\nCard \S+ orders\.DLT\/0@0 o-9 \{"id":"o-9","address":"\*\*\*"\}\n1 open/
    )
    const { report } = await project.leatJson(["dlq", "list", "--topic", "orders.DLT"])
    expect(report).toMatchObject({ deadLetters: "orders.DLT", letters: [{ by: "spring", topic: "shop.orders" }] })
    const { stdout } = await project.leat(["dlq", "list", "--topic", "shop.orders"])
    expect(stdout).toMatch(/\n1 open dead letter; 1 say nothing of a failure: with --group, --topic is the topic that/)
  })

  it("has none of a group that never had one, and fails for a group and a topic that are not there", async () => {
    using project = await withLetters()
    await readBy(project, "mailing")
    const none = await project.leat(["dlq", "list", "--topic", "shop.orders", "--group", "mailing"])
    const told = "0 open dead letters: mailing never had one of shop.orders, and these groups had: billing\n"
    expect(none).toEqual({ code: 0, stdout: told, stderr: "" })
    const wrong = ["--topic", "shop.orders", "--group", "biling"]
    const sentence =
      "leat: group biling has settled nothing of topic shop.orders and never had a dead letter there; these groups have: billing, mailing\n"
    for (const command of ["list", "replay", "drop"]) {
      const why = command === "drop" ? ["--reason", "a test"] : []
      expect(await failing(project, command, ...wrong, ...why)).toEqual([1, sentence])
    }
    expect(await failing(project, "show", "1/0", ...wrong)).toEqual([1, sentence])
    const anywhere = await project.leat(["dlq", "list", "--group", "biling"])
    expect(anywhere.stdout).toBe("0 open dead letters: biling never had one here, and these groups had: billing\n")
    expect(await failing(project, "list", "--topic", "shop.order", "--group", "billing")).toEqual([
      1,
      expect.stringMatching(/^leat: .*shop\.order\b.*\n$/)
    ])
    expect(await failing(project, "list", "--directory", "elsewhere")).toEqual([
      1,
      expect.stringMatching(/elsewhere does not exist: .*; of another cluster name the route document, by --routes\n$/)
    ])
    expect(project.files("elsewhere")).toEqual([])
    expect(await failing(project, "list", ...whose, "--where", "tags=x")).toEqual([
      2,
      expect.stringMatching(/^leat: --where tags=x is no condition; say tag=CardDeclined, /)
    ])
  })
})

describe("leat dlq where nobody has had a dead letter", () => {
  it("fails for a group that is not there, and has none of one that is", async () => {
    using project = new Project()
    await fillLog(join(project.folder, "data"), "shop.orders", 0, [{ key: "o-1", value: "x" }])
    const list = ["dlq", "list", "--topic", "shop.orders", "--group"]
    const before = await project.leat([...list, "billing"])
    expect([before.code, before.stderr]).toEqual([
      1,
      "leat: group billing has settled nothing of topic shop.orders and never had a dead letter there; no other group has either\n"
    ])
    await readBy(project, "billing")
    expect(await project.leat([...list, "billing"])).toEqual({ code: 0, stdout: "0 open dead letters\n", stderr: "" })
    const other = await project.leat([...list, "biling"])
    expect([other.code, other.stderr]).toEqual([
      1,
      "leat: group biling has settled nothing of topic shop.orders and never had a dead letter there; these groups have: billing\n"
    ])
    const anywhere = await project.leat(["dlq", "list", "--group", "biling"])
    expect(anywhere.stdout).toBe("0 open dead letters: neither biling nor any other group ever had one here\n")
  })
})

describe("leat dlq show", () => {
  it("shows all that is known of a letter, and of what became of it", async () => {
    using project = await withLetters()
    const { code, stdout } = await project.leat(["dlq", "show", "1/2", ...whose])
    expect(code).toBe(0)
    expect(stdout.split("\n")).toEqual([
      "letter      shop.orders.billing.dlq 1/2",
      "state       open",
      "set aside   2026-11-24T09:00:00.000Z by leat, replayed 3 times before",
      "from        shop.orders/1@4713",
      "group       billing",
      "failure     handle CardDeclined (6 attempts, moved 2 times)",
      "message     no money",
      "headers     source (3 bytes)",
      'event       2026-11-24T08:59:00.000Z shop.orders/1@4713 o-3 {"id":"o-3","address":"***"}',
      ""
    ])
    await project.leat(["dlq", "drop", ...whose, "--where", "position=1/2", "--reason", "a test", "--by", "anna"])
    const dropped = await project.leat(["dlq", "show", "1/2", ...whose, "--unmasked"])
    expect(dropped.stdout).toMatch(/\nstate {7}dropped \S+Z by anna: a test\n/)
    expect(dropped.stdout).toContain('headers     source="web"')
    const { report } = await project.leatJson(["dlq", "show", "1/2", ...whose])
    expect(report).toMatchObject({
      group: "billing",
      letter: "1/2",
      state: "dropped",
      resolution: { how: "dropped", reason: "a test", by: "anna", at: expect.stringMatching(/Z$/) }
    })
  })

  it("says where there is none", async () => {
    using project = await withLetters()
    const none = "leat: there is no dead letter at 1/9; it has expired, "
    expect(await failing(project, "show", "1/9", ...whose)).toEqual([1, expect.stringContaining(none)])
    expect(await failing(project, "show", "17", ...whose)).toEqual([2, expect.stringContaining("17 names no letter")])
    expect(await failing(project, "show", "1/0")).toEqual([2, expect.stringContaining("name the topic by --topic")])
  })
})

describe("leat dlq replay", () => {
  it("replays open letters to their group, leaves those that were replayed too often, and is done when it is run again", async () => {
    using project = await withLetters()
    const directory = join(project.folder, "data")
    const dry = await project.leatJson(["dlq", "replay", ...whose, "--dry-run"])
    expect(dry.report).toMatchObject({ replayed: 0, replayable: 2, guarded: 1, dryRun: true })
    expect(await onLog(directory, (log) => log.topics)).toEqual(["shop.orders", dlq])
    const { code, stdout, stderr } = await project.leat(["dlq", "replay", ...whose, "--rate", "1000"])
    expect([code, stdout, stderr]).toEqual([0, "replayed 2, left 1 that were replayed 3 times or more already\n", ""])
    const again = await project.leatJson(["dlq", "replay", ...whose, "--replays-max", "4", "--by", "anna"])
    expect(again.report).toEqual({
      topic: "shop.orders",
      group: "billing",
      replayed: 1,
      guarded: 0,
      refused: 0,
      dryRun: false
    })
    const text = (base64: unknown) => Buffer.from(String(base64), "base64").toString()
    const stored = (await rawRead(directory, "shop.orders.billing.replay")) as ReadonlyArray<{
      partition: number
      key: string
      value: string
      headers: ReadonlyArray<readonly [string, string]>
    }>
    expect(
      stored.map(({ partition, key, value, headers }) => [partition, text(key), text(value), text(headers[0]?.[1])])
    ).toEqual(
      ["o-1", "o-2", "o-3"].map((key) => [
        1,
        key,
        String(orderBytes(key)),
        `{"version":1,"replays":${key === "o-3" ? 4 : 1}}`
      ])
    )
    expect(stored[0]?.headers.slice(1)).toEqual([["source", "d2Vi"]])
    const { report } = await project.leatJson(["dlq", "list", ...whose, "--all"])
    expect(report).toMatchObject({
      letters: [{ state: "replayed" }, expect.anything(), { resolution: { by: "anna" } }]
    })
  })

  it("replays what is chosen", async () => {
    using project = await withLetters()
    const one = await project.leat(["dlq", "replay", ...whose, "--where", "position=1/1"])
    expect(one.stdout).toBe("replayed 1\n")
    const { report } = await project.leatJson(["dlq", "list", ...whose])
    expect(report).toMatchObject({ letters: [{ letter: "1/0" }, { letter: "1/2" }] })
    const none = await project.leatJson(["dlq", "replay", "--stream", "shop.orders", "--group", "mailing"])
    expect(none).toMatchObject({
      code: 1,
      report: { error: expect.stringContaining("these groups have: billing") as unknown }
    })
  })

  it("says why it cannot: no group, a topic of replays that is too small, a log that is not there", async () => {
    using project = await withLetters()
    expect(await failing(project, "replay", "--topic", "orders.DLT")).toEqual([
      2,
      expect.stringMatching(/^leat: name topic and group of the dead letters.* can be looked at only/)
    ])
    await onLog(join(project.folder, "data"), (log) =>
      log.ensure({ topic: "shop.orders.billing.replay", partitions: 1 })
    )
    const { code, report } = await project.leatJson(["dlq", "replay", ...whose])
    expect([code, report]).toEqual([
      1,
      { error: expect.stringMatching(/has 1 partitions and .* has 2; .*; run it again/), reason: "Unsupported" }
    ])
    expect(await failing(project, "replay", ...whose, "--directory", "elsewhere")).toEqual([
      1,
      expect.stringContaining("elsewhere")
    ])
    expect(project.files("elsewhere")).toEqual([])
  })
})

describe("leat dlq drop", () => {
  it("needs a reason, and drops what is chosen", async () => {
    using project = await withLetters()
    expect(await failing(project, "drop", ...whose)).toEqual([2, expect.stringContaining("say why by --reason")])
    const because = ["--where", "stage=decode", "--reason", "a load test"]
    const dry = await project.leatJson(["dlq", "drop", ...whose, ...because, "--dry-run"])
    expect(dry.report).toMatchObject({ dropped: 0, droppable: 1, dryRun: true })
    const { code, stdout } = await project.leat(["dlq", "drop", ...whose, ...because])
    expect([code, stdout]).toEqual([0, "dropped 1 dead letter\n"])
    expect((await project.leat(["dlq", "list", ...whose])).stdout).toMatch(/\n2 open dead letters\n$/)
    const all = await project.leat(["dlq", "list", ...whose, "--all"])
    expect(all.stdout).toMatch(/\n1\/1 dropped decode Malformed .*\n.*\n3 dead letters\n$/)
    const tail = await project.leat(["events", "tail", "--topic", dlq, "--partition", "1", "--from", "3", "--unmasked"])
    expect(tail.stdout).toMatch(
      / shop\.orders\.billing\.dlq\/1@3 o-2 \(says that the dead letter 1\/1 was dropped\)\n$/
    )
  })
})

describe("leat dlq with a route document", () => {
  const cluster = (section: object) =>
    JSON.stringify({
      version: 1,
      clusters: { local: section, other: { transport: "@leat/kafkajs", brokers: "${env:NOT_SET}" } },
      routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "prod.{stream}" }] }]
    })
  const log = { transport: "@leat/log", directory: "${env:LEAT_TEST_DIRECTORY}" }
  const local = ["--routes", "routes.json", "--cluster", "local"]

  it("opens the cluster as a service does, and knows the topics of a stream", async () => {
    using project = new Project({ "proto/shop/v1/order.proto": order, "routes.json": cluster(log) })
    const directory = join(project.folder, "data")
    await fillLog(directory, "prod.shop.orders.billing.dlq", 0, [letterOf("o-1", { topic: "prod.shop.orders" })])
    process.env["LEAT_TEST_DIRECTORY"] = directory
    try {
      const own = [...local, "--stream", "shop.orders", "--group", "billing"]
      const { stdout, code } = await project.leat(["dlq", "list", ...own])
      expect([code, stdout]).toEqual([
        0,
        expect.stringMatching(/ prod\.shop\.orders\/1@4711 o-1 \{"id":"o-1".*\n1 open/)
      ])
      expect((await project.leat(["dlq", "list", ...local])).stdout).toContain("\n1 open dead letter\n")
      const replayed = await project.leatJson(["dlq", "replay", ...own])
      expect(replayed.report).toMatchObject({ topic: "prod.shop.orders", replayed: 1 })
      process.env["LEAT_TEST_DIRECTORY"] = join(project.folder, "elsewhere")
      for (const verb of ["list", "replay"])
        // What the reference stands for is not said.
        expect(await failing(project, verb, ...own)).toEqual([
          1,
          expect.stringContaining("${env:LEAT_TEST_DIRECTORY} does not exist")
        ])
      expect(project.files("elsewhere")).toEqual([])
    } finally {
      delete process.env["LEAT_TEST_DIRECTORY"]
    }
  })

  it.each([
    [["--cluster", "local"], 2, "--cluster names a cluster of a route document"],
    [["--routes", "nowhere.yaml"], 2, "there is no file nowhere.yaml"],
    [["--routes", "routes.json"], 2, "name the cluster by --cluster; in routes.json there is local, other"],
    [
      ["--routes", "routes.json", "--cluster", "main"],
      2,
      "there is no cluster main in routes.json; there is local, other"
    ],
    [
      ["--routes", "routes.json", "--cluster", "other"],
      1,
      "cluster other cannot be opened: @leat/kafkajs is not installed here"
    ],
    [local, 2, "cluster local is in the memory of the process that opened it"],
    [
      ["--routes", "broken.json", "--cluster", "local"],
      1,
      "broken.json: clusters.local.transport: no driver named @acme/nats"
    ]
  ])("says what is wrong with %j", async (args, code, words) => {
    using project = new Project({
      "routes.json": cluster({ transport: "memory" }),
      "broken.json": cluster({ transport: "@acme/nats" })
    })
    expect(await failing(project, "list", ...args)).toEqual([code, expect.stringContaining(words)])
  })

  it("says where a stream has no topic in the cluster", async () => {
    using project = new Project({ "routes.json": cluster({ ...log, directory: "./data" }) })
    await fillLog(join(project.folder, "data"), "t", 0, [{ key: "a", value: "1" }])
    const text = project.read("routes.json").replace('"stream":"*"', '"stream":"shop.*"')
    project.write({ "routes.json": text })
    expect(await failing(project, "list", ...local, "--stream", "risk.x", "--group", "g")).toEqual([
      2,
      expect.stringContaining("by the routes, stream risk.x has no topic in cluster local; name it by --topic")
    ])
  })

  it.each([["--group", "g"], ["--undelivered"], []])(
    "names the topics that there are where one is misspelt, with %j",
    async (...flags) => {
      using project = new Project()
      await fillLog(join(project.folder, "data"), "shop.orders", 0, [{ key: "a", value: "1" }])
      expect(await failing(project, "list", "--topic", "shop.order", ...flags)).toEqual([
        1,
        "leat: there is no topic shop.order; there is shop.orders\n"
      ])
    }
  )

  it("lists, shows, replays and drops what publishers could not store", async () => {
    using project = new Project({ "proto/shop/v1/order.proto": order })
    const directory = join(project.folder, "data")
    await fillLog(directory, "shop.orders", 0, [{ key: "o-1", value: orderBytes("o-1") }])
    const letters = ["o-2", "o-3"].map((key) => {
      const { headers: _, ...record } = letterOf(key)
      const said = {
        by: "leat",
        topic: "shop.orders",
        partition: 1,
        stage: "publish",
        tag: "Rejected",
        replays: 0
      } as const
      return { ...record, headers: deadLetterHeaders({ ...said, message: "too old", attempts: 1, atMs }) }
    })
    await fillLog(directory, "shop.orders.undelivered", 1, letters)
    const whosePublishers = ["--topic", "shop.orders", "--undelivered"]
    const overview = await project.leat(["dlq", "list"])
    expect(overview.stdout).toMatch(/^TOPIC.*\nshop\.orders +\(publishers\) +2 +0 +0 .*\n2 open dead letters\n$/)
    const listed = await project.leat(["dlq", "list", ...whosePublishers])
    expect(listed.stdout).toMatch(
      /^1\/0 publish Rejected \S+ shop\.orders\.undelivered\/1@0 o-2 \{"id":"o-2","address":"\*\*\*"\}\n1\/1 .*\n2 open dead letters\n$/
    )
    expect((await project.leat(["dlq", "show", "1/1", ...whosePublishers])).stdout).toContain("too old")
    expect(await project.leat(["dlq", "drop", ...whosePublishers, "--where", "key=o-2", "--reason", "a test"])).toEqual(
      {
        code: 0,
        stdout: "dropped 1 dead letter\n",
        stderr: ""
      }
    )
    expect(await project.leat(["dlq", "replay", ...whosePublishers])).toEqual({
      code: 0,
      stdout: "replayed 1\n",
      stderr: ""
    })
    expect(await rawRead(directory, "shop.orders")).toMatchObject([
      { partition: 0 },
      { partition: 1, key: Buffer.from("o-3").toString("base64"), value: orderBytes("o-3").toString("base64") }
    ])
    expect(await failing(project, "replay", ...whosePublishers, "--group", "billing")).toEqual([
      2,
      "leat: --undelivered is for what publishers could not store, and no group is part of it\n"
    ])
    expect(await failing(project, "replay", "--topic", "shop.order", "--undelivered")).toEqual([
      1,
      expect.stringContaining("shop.order")
    ])
  })
})

import type { LogInspection } from "@leat/log"
import { describe, expect, it } from "vitest"
import { findings } from "../src/log/findings.ts"

/** A log whose one partition has so many ranges of event ids. */
const logWith = (idRanges: number, fileBytes: number): LogInspection => ({
  directory: "/data",
  formatVersion: 5,
  createdAtMs: 0,
  fileBytes,
  topics: [
    {
      topic: "orders",
      compacted: false,
      partitions: [{ partition: 0, start: 0n, end: 10n, batches: 1, bytes: 1000, idRanges }],
      groups: [
        {
          group: "g",
          members: [],
          lanes: [{ partition: 0, settled: 10n, lag: 0n, generation: 1, state: "free", abandoned: 0 }]
        }
      ]
    }
  ],
  quarantined: []
})

const mebibyte = 1024 * 1024

describe("the findings of a log", () => {
  it("tell of ids that take most of the file, and what to do", () => {
    const found = findings(logWith(400_000, 20 * mebibyte), 0)
    expect(found).toEqual([
      { severity: "note", about: "ids", message: expect.stringMatching(/^about 19 MiB of the 20 MiB .*raise bytesMax/) }
    ])
  })

  it("tell of a topic with records that no group reads, unless it is one of dead letters or has none", () => {
    const log = logWith(1, mebibyte)
    const unread = (topic: string, end = 10n) =>
      findings(
        {
          ...log,
          topics: log.topics.map((one) => ({
            ...one,
            topic,
            groups: [],
            partitions: one.partitions.map((partition) => ({ ...partition, end }))
          }))
        },
        0
      )
    expect(unread("orders")).toEqual([
      {
        severity: "note",
        about: "unread",
        message: expect.stringMatching(/^no group reads orders, which has 10 records: /)
      }
    ])
    expect(unread("orders", 1n)[0]?.message).toContain("has 1 record:")
    expect([...unread("orders", 0n), ...unread("orders.billing.dlq")]).toEqual([])
    expect(unread("orders.replay")[0]?.message).toMatch(/^no group reads orders\.replay,/)
  })

  it("tell of replayed events that they are for one group", () => {
    const log = logWith(1, mebibyte)
    const of = (topic: string) =>
      log.topics.map((one) => ({
        ...one,
        topic,
        groups: [],
        partitions: one.partitions.map((partition) => ({ ...partition, end: 19n }))
      }))
    const topics = [...of("orders.billing.dlq"), ...of("orders.billing.replay")]
    expect(findings({ ...log, topics }, 0)).toEqual([
      {
        severity: "note",
        about: "unread",
        message: expect.stringMatching(
          /^nobody reads orders\.billing\.replay yet, which has 19 records that `leat dlq replay` wrote .*start a consumer of that group/
        )
      }
    ])
  })

  it("tell of events in a retry topic that they wait for one group", () => {
    const log = logWith(1, mebibyte)
    const topics = log.topics.map((one) => ({
      ...one,
      topic: "orders.billing.retry.1",
      groups: [],
      partitions: one.partitions.map((partition) => ({ ...partition, end: 19n }))
    }))
    expect(findings({ ...log, topics }, 0)).toEqual([
      {
        severity: "note",
        about: "unread",
        message: expect.stringMatching(
          /^nobody reads orders\.billing\.retry\.1 yet, which has 19 records that wait .*start a consumer of that group/
        )
      }
    ])
  })

  it("tell of a spill who sends it on, and never of consumers to start", () => {
    const log = logWith(1, mebibyte)
    const of = (seenAtMs: number) =>
      log.topics.map((one) => ({
        ...one,
        topic: "main.orders.1.spill",
        groups: [
          {
            group: "leat.spill",
            members: [{ id: 1, owner: "h/1/0", leaseMs: 1000, seenAtMs }],
            lanes: [
              { partition: 0, settled: 3n, lag: 7n, generation: 1, state: "held" as const, abandoned: 0, holder: 1 }
            ]
          }
        ]
      }))
    const told = (seenAtMs: number) =>
      findings({ ...log, topics: of(seenAtMs) }, 0).flatMap(({ about, severity, message }) =>
        about === "backlog" ? [`${severity}: ${message}`] : []
      )
    expect(told(0)).toEqual([
      "note: 7 records are in the spill main.orders.1.spill, and sent on as soon as the cluster takes them: look at that cluster"
    ])
    expect(told(-60_000)).toEqual([
      "wrong: 7 records are in the spill main.orders.1.spill, which belongs to no process: start one of the service that wrote it, on this directory; it sends them on before anything of its own"
    ])
  })

  it("tell nothing of dead letters that no group reads", () => {
    const log = logWith(1, mebibyte)
    for (const topic of ["orders.billing.dlq", "orders.undelivered"])
      expect(findings({ ...log, topics: log.topics.map((one) => ({ ...one, topic, groups: [] })) }, 0)).toEqual([])
  })

  it("tell of a group whose events wait in a retry topic, without asking for more members", () => {
    const log = logWith(1, mebibyte)
    const of = (topic: string) =>
      log.topics.map((one) => ({
        ...one,
        topic,
        groups: [
          {
            group: "billing",
            members: [{ id: 1, owner: "h/1/0", leaseMs: 1000, seenAtMs: 0 }],
            lanes: [
              { partition: 0, settled: 3n, lag: 7n, generation: 1, state: "held" as const, abandoned: 0, holder: 1 }
            ]
          }
        ]
      }))
    const told = (topic: string) => findings({ ...log, topics: of(topic) }, 0).map(({ message }) => message)
    expect(told("orders")).toEqual([expect.stringMatching(/not settled 7 of orders: .*add members/)])
    expect(told("orders.billing.retry.1")).toEqual([
      expect.stringMatching(/not settled 7 of orders\.billing\.retry\.1: they are tried again when they are due/)
    ])
  })

  it.each([
    ["few of a small file", logWith(3840, 200_000)],
    ["many of a file with more events", logWith(400_000, 100 * mebibyte)]
  ])("say nothing of %s", (_, inspection) => {
    expect(findings(inspection, 0)).toEqual([])
  })
})

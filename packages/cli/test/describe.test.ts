import { join } from "node:path"
import fc from "fast-check"
import { Effect, Option } from "effect"
import type { ReceivedRecord } from "leat/transport"
import { describe, expect, it } from "vitest"
import { findContractsIn } from "../src/events/Contracts.js"
import { describeLine, describeMasked, describeText } from "../src/events/describe.js"
import { fillLog } from "./fillLog.js"
import { Project } from "./Project.js"
import { eventProto } from "./protos.js"

const fields = `string id = 1;
  google.protobuf.Timestamp at = 2;
  repeated google.protobuf.Duration pauses = 3;`
const imports = ["timestamp", "duration"].map((one) => `import "google/protobuf/${one}.proto";`).join("\n")
const files = {
  "proto/shop/v1/visit.proto": eventProto("Visit", 'stream: "shop.visits" key: "id"', fields).replace(
    "package shop.v1;",
    `package shop.v1;\n\n${imports}`
  )
}
const contractsOf = (project: Project) => Effect.runPromise(findContractsIn(Option.some(join(project.folder, "proto"))))

/** Bytes of a Visit: the id, and an `at` of so many nanoseconds. */
const visit = (id: string, nanos: number) => {
  const at = Buffer.from([0x10, ...varint(nanos)])
  return Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id), Buffer.from([0x12, at.length]), at])
}
function varint(value: number): ReadonlyArray<number> {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

describe("a record that cannot be shown as its contract says", () => {
  const tail = ["events", "tail"]

  it("is one line with its place and why; the others follow, and the exit code tells at the end", async () => {
    using project = new Project(files)
    const directory = join(project.folder, "data")
    await fillLog(directory, "shop.visits", 0, [
      { key: "a", value: visit("a", 1) },
      { key: "b", value: visit("b", 2_000_000_000) },
      { key: "c", value: "\u0001" },
      { key: "d", value: visit("d", 3), timeMs: 1e300 }
    ])
    const text = await project.leat(tail)
    expect(text.stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^\S+Z shop\.visits\/0@0 a \{"id":"a",/),
      expect.stringMatching(/^\S+Z shop\.visits\/0@1 b \(shop\.v1\.Visit of 11 bytes that has no JSON: .*nanos/),
      expect.stringMatching(/^\S+Z shop\.visits\/0@2 c \(1 bytes that are no shop\.v1\.Visit: /),
      expect.stringMatching(/^1e\+300ms shop\.visits\/0@3 d \{"id":"d",/)
    ])
    expect([text.code, text.stderr]).toEqual([1, "leat: 2 records could not be decoded as the contract says\n"])
    const json = await project.leatJson(tail)
    expect(json.code).toBe(1)
    expect(json.report).toMatchObject({
      count: 4,
      unread: 2,
      records: [
        { event: { id: "a" } },
        { fault: expect.stringContaining("nanos") },
        { fault: expect.any(String) },
        expect.anything()
      ]
    })
    const lines = await project.leat([...tail, "--format", "jsonl"])
    expect([lines.code, lines.stderr]).toEqual([0, ""])
    const records = lines.stdout.trimEnd().split("\n")
    expect(records.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { event: { id: "a" } },
      { fault: expect.stringContaining("nanos"), rawValue: visit("b", 2_000_000_000).toString("base64") },
      { fault: expect.any(String), rawValue: "AQ==" },
      { event: { id: "d" }, timeMs: 1e300 }
    ])
  })

  it("never ends the telling, whatever the record holds", async () => {
    using project = new Project(files)
    const contracts = await contractsOf(project)
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.maxSafeNat().map((nanos) => new Uint8Array(visit("x", nanos)))
    )
    const name = fc.constantFrom("leat", "ce_id", "ce_type", "ce_source", "ce_time", "content-type", "other")
    const record: fc.Arbitrary<ReceivedRecord> = fc.record({
      position: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      timeMs: fc.double(),
      key: fc.option(bytes),
      value: fc.option(bytes),
      headers: fc.array(fc.tuple(name, bytes), { maxLength: 4 })
    })
    const place = { partitions: 1, compacted: false, partition: 0, contract: undefined, at: { fromPosition: 0n } }
    fc.assert(
      fc.property(record, fc.constantFrom("shop.visits", "t"), fc.boolean(), (one, topic, isUnmasked) => {
        const describing = { contracts, fallback: Option.none(), isUnmasked }
        for (const tell of [describeLine, describeMasked, describeText]) {
          const { line } = tell(one, { topic, ...place }, describing)
          expect(JSON.stringify(line)).toContain(topic)
        }
      }),
      { numRuns: 2000 }
    )
  })
})

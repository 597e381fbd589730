import { Result } from "effect"
import { memory, Routes } from "leat"
import { expect, it } from "vitest"

const faultsOf = (section: object) => {
  const routes = [{ match: { stream: "*" }, to: [{ cluster: "m", topic: "{stream}" }] }]
  const compiled = Routes.compile(
    { version: 1, clusters: { m: { transport: "memory", ...section } }, routes },
    { drivers: [memory] }
  )
  return Result.isFailure(compiled) ? compiled.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}

it.each([
  [
    { partition: 4 },
    "clusters.m.partition: is no field here; there is partitions, recordBytesMax, retentionBytes; did you mean partitions?"
  ],
  [{ directory: "." }, "clusters.m.directory: is no field here; there is partitions, recordBytesMax, retentionBytes"],
  [{ partitions: 0 }, "clusters.m.partitions: must be from 1 to 10000"],
  [{ partitions: 1.5 }, "clusters.m.partitions: must be a whole number, as 8"],
  [{ transport: "" }, "clusters.m.transport: is empty"],
  [{ partitions: "4" }, "clusters.m.partitions: must be a number, as 8"],
  [{ retentionBytes: "1 GB" }, "clusters.m.retentionBytes: must be a number, as 268435456"],
  [{ recordBytesMax: "1 MB" }, "clusters.m.recordBytesMax: must be a number, as 1048576"]
])("a section with %j says what there is", (section, told) => {
  expect(faultsOf(section)).toEqual([told])
})

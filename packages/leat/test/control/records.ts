/** Control records by chance: of a small fleet, so that many of them count, and with hostile values among them. */
import fc from "fast-check"
import type { ControlRecord, Place } from "../../src/control/ControlRecord.ts"

const streams = ["X", "Y"]
const members = ["one", "two", "three"]
const groups = ["g", "h"]

const stream = fc.constantFrom(...streams)
const member = fc.constantFrom(...members)
const group = fc.constantFrom(...groups)
const small = fc.nat({ max: 8 })
const positions = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 2 })
const place: fc.Arbitrary<Place> = fc.record({
  cluster: fc.constantFrom("a", "b"),
  topic: fc.constant("t"),
  partitions: fc.constantFrom(1, 2)
})
const mapOf = <A>(key: fc.Arbitrary<string>, value: fc.Arbitrary<A>): fc.Arbitrary<ReadonlyMap<string, A>> =>
  fc.uniqueArray(fc.tuple(key, value), { maxLength: 3, selector: ([name]) => name }).map((entries) => new Map(entries))

/** Of a fleet of three writers, two streams and two groups. */
export const recordOfFleet: fc.Arbitrary<ControlRecord> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("table"),
      base: small,
      document: fc.string(),
      places: mapOf(stream, place),
      relaxed: fc.option(
        fc.uniqueArray(stream, { minLength: 1, maxLength: 2 }).map((names) => new Set(names)),
        { nil: undefined }
      )
    })
  },
  fc.record({ kind: fc.constant("joined"), stream, member }),
  fc.record({
    kind: fc.constant("placed"),
    stream,
    base: small,
    place,
    epoch: fc.integer({ min: 1, max: 3 })
  }),
  fc.record({ kind: fc.constant("reads"), stream, group }),
  fc.record({ kind: fc.constant("left"), stream, member, upTo: positions }),
  fc.record({ kind: fc.constant("beat"), member, version: small, refused: fc.constantFrom("", "version 3: no") }),
  fc.record({ kind: fc.constant("forgotten"), member, beats: fc.nat({ max: 2 }) }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("sealing"), stream, base: small }) },
  fc.record({ kind: fc.constantFrom("paused" as const, "resumed" as const), stream, base: small }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("drained"),
      stream,
      epoch: small,
      attempt: small,
      member,
      upTo: positions
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("sealed"),
      stream,
      base: small,
      end: positions,
      over: mapOf(member, fc.nat({ max: 2 }))
    })
  },
  fc.record({ kind: fc.constant("abandoned"), stream, base: small, epoch: small }),
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("opened"), stream, base: small, begin: positions }) },
  fc.record({ kind: fc.constant("swept"), stream, epoch: small, upTo: positions }),
  fc.record({ kind: fc.constant("givenUp"), stream, epoch: small, member, upTo: positions }),
  fc.record({ kind: fc.constant("handedOver"), stream, epoch: small, group }),
  fc.record({ kind: fc.constant("retired"), stream, base: small, epoch: small, groups: fc.uniqueArray(group) })
)

/** As a story, so that a fleet gets on: bases and epochs are those in force more often than not. */
export interface Story {
  readonly records: ReadonlyArray<ControlRecord>
  /** For each record, whether its base is taken from the state that it is written on. */
  readonly fits: ReadonlyArray<boolean>
}

export const storyOfFleet: fc.Arbitrary<Story> = fc
  .array(fc.tuple(recordOfFleet, fc.boolean()), { maxLength: 80 })
  .map((pairs) => ({ records: pairs.map(([record]) => record), fits: pairs.map(([, fits]) => fits) }))

/** What is no record, or is one with a value in it that no reader may take. */
export const hostileRecord: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({ withMap: true, withSet: true, withNullPrototype: true, withSparseArray: true }),
  fc
    .tuple(recordOfFleet, fc.string(), fc.anything({ withMap: true, withNullPrototype: true }))
    .map(([record, field, value]) => ({ ...record, [field]: value })),
  fc
    .tuple(recordOfFleet, fc.nat(), fc.anything({ withMap: true, withNullPrototype: true, withSparseArray: true }))
    .map(([record, index, value]) => {
      const fields = Object.keys(record)
      return { ...record, [fields[index % fields.length] ?? "kind"]: value }
    })
)

/** Stories of a fleet, told to the fold. */
import { apply, type Control, emptyControl } from "../../src/control/Control.ts"
import type { ControlRecord } from "../../src/control/ControlRecord.ts"
import type { Story } from "./records.ts"

/** The records as they were written: where a story says so, on the state that they are read in. */
export function written({ records, fits }: Story): ReadonlyArray<ControlRecord> {
  let control = emptyControl
  return records.map((record, index) => {
    const now = fits[index] === true ? fitted(control, record) : record
    control = apply(control, now)
    return now
  })
}

function fitted(control: Control, record: ControlRecord): ControlRecord {
  if (record.kind === "table") return { ...record, base: control.version }
  if (!("stream" in record)) return record
  const placement = control.streams.get(record.stream)
  if (placement === undefined) return record
  const source = placement.epochs.find(({ phase }) => phase !== "retired")
  const change: Record<string, unknown> = {}
  if ("base" in record) change["base"] = placement.step
  if ("epoch" in record && source !== undefined) change["epoch"] = source.epoch
  if ("attempt" in record && source !== undefined) change["attempt"] = source.attempt
  return { ...record, ...change }
}

export function folded(
  story: Story,
  see: (before: Control, record: ControlRecord, after: Control) => void = () => undefined
): Control {
  let control = emptyControl
  for (const record of written(story)) {
    const after = apply(control, record)
    see(control, record, after)
    control = after
  }
  return control
}

/** Text of a state, with the order of its maps, which says who came first, and without that of its fields. */
export const exactly = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => {
    if (one instanceof Map) return { map: [...(one as Map<unknown, unknown>)] }
    if (one instanceof Set) return { set: [...(one as Set<unknown>)] }
    if (typeof one !== "object" || one === null || Array.isArray(one)) return one
    return Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })

import type { Leg, Routes } from "leat"
import { legSettings, type Setting } from "./settings.ts"

/** A setting that differs. */
export interface ChangedSetting {
  /** As the document calls it. */
  readonly setting: string
  readonly before: string
  readonly after: string
}

/** What the fields of a leg and of a subscription are called in a document, where that is another name. */
const names: ReadonlyMap<string, string> = new Map([
  ["bufferBytesMax", "buffer.bytes"],
  ["overflow", "buffer.overflow"],
  ["lingerMs", "linger"],
  ["batchBytes", "batch.bytes"],
  ["batchRecords", "batch.records"],
  ["timeoutMs", "timeout"],
  ["settleEveryMs", "settleEvery"],
  ["drainMs", "drain"],
  ["dedupeRecords", "dedupe"],
  ["retryDelaysMs", "retryTopics"]
])

/** Of the fields that differ, what they are called and what they were and will be. */
export function changedSettings(
  fields: ReadonlyArray<string>,
  before: ReadonlyArray<Setting>,
  after: ReadonlyArray<Setting>
): ReadonlyArray<ChangedSetting> {
  const valueIn = (settings: ReadonlyArray<Setting>, name: string): string =>
    settings.find(({ setting }) => setting === name)?.value ?? "none"
  return fields.map((field) => {
    const setting = names.get(field) ?? field
    return { setting, before: valueIn(before, setting), after: valueIn(after, setting) }
  })
}

/** The settings of the leg with the same sink; empty: there is none. */
export function settingsOfSink(routes: Routes, legs: ReadonlyArray<Leg>, sink: string): ReadonlyArray<Setting> {
  const leg = legs.find((one) => one.sink === sink)
  return leg === undefined ? [] : legSettings(routes, leg)
}

/** A policy, and some others, may differ within: then their names do not say how. */
export function settingText({ setting, before, after }: ChangedSetting): string {
  if (before !== after) return `${setting} ${before} -> ${after}`
  return `${setting} ${after}, ${setting === "policy" ? "with other rules" : "changed within"}`
}

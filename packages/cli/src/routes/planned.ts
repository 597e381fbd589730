import { planRoutes, type RoutePlan, type StreamChange } from "leat"
import { plural } from "../outcome.ts"
import { changedSettings, settingsOfSink, settingText } from "./changedSettings.ts"
import { appliedText, behind, toldProcess } from "./controlFlags.ts"
import type { TwoDocuments } from "./otherDocument.ts"
import { type Asked, plannedStreams } from "./plannedStreams.ts"
import { subscriptionSettings } from "./settings.ts"

/** What a document would change, and how it is told. */
export function planned(two: TwoDocuments, { stream, source }: Omit<Asked, "streams"> = {}) {
  const { before, after, streams, notes, fleet } = two
  const plan = planRoutes(before, after, plannedStreams(before, after, { streams, stream, source }))
  const told = toldPlan(plan, two)
  const isNothing = [told.streams, told.groups, told.clusters].every(({ length }) => length === 0)
  const verdict = plan.refused.length > 0 ? "refused" : isNothing ? "nothing" : "changes"
  const report = {
    verdict,
    from: before.version,
    to: after.version,
    ...told,
    notes,
    ...(fleet === undefined ? {} : { processes: fleet.processes.map(toldProcess) })
  }
  return {
    report,
    lines: textOf(report, two),
    /** Why it is refused, where its streams and clusters are open; empty: it is not. */
    faults: plan.refused.map(({ path, message }) => `${path}: ${message}`)
  }
}

function toldPlan({ streams, groups, clusters, opened, closed, refused }: RoutePlan, { before, after }: TwoDocuments) {
  const seen = new Set<string>()
  return {
    streams: streams.map((change) => toldStream(change, { before, after })),
    groups: groups.flatMap(({ stream, group, settings }) => {
      // A group reads a stream of all sources.
      const name = `${stream} ${group}`
      if (seen.has(name)) return []
      seen.add(name)
      const [was, is] = [before, after].map((table) => subscriptionSettings(table, stream, group))
      return [{ stream, group, settings: changedSettings(settings, was ?? [], is ?? []) }]
    }),
    clusters,
    opened,
    closed,
    refused
  }
}

function toldStream(
  { stream, source, level, hasOtherObjective, legs, moves }: StreamChange,
  { before, after }: Pick<TwoDocuments, "before" | "after">
) {
  const [was, is] = [before.lookup(stream, source), after.lookup(stream, source)]
  return {
    stream,
    source,
    ...(level === undefined ? {} : { level: { before: was?.level, after: level } }),
    hasOtherObjective,
    moves: moves.length > 0,
    legs: legs.map(({ sink, change, settings }) => ({
      sink,
      change,
      settings: changedSettings(
        settings,
        settingsOfSink(before, was?.legs ?? [], sink),
        settingsOfSink(after, is?.legs ?? [], sink)
      )
    }))
  }
}

type Told = ReturnType<typeof toldPlan> & { readonly verdict: string; readonly notes: ReadonlyArray<string> }

function textOf(told: Told, { beforeName, afterName, fleet }: TwoDocuments): ReadonlyArray<string> {
  const lines = [`from ${beforeName}, to ${afterName}`, ...told.notes.map((note) => `note: ${note}`)]
  for (const { stream, source, level, hasOtherObjective, moves, legs } of told.streams) {
    lines.push(`stream ${stream}${source === "*" ? "" : ` from source ${source}`}${moves ? ": would move" : ""}`)
    if (level !== undefined) lines.push(`  level ${level.before} -> ${level.after}`)
    if (hasOtherObjective) lines.push("  another loss objective")
    for (const { sink, change, settings } of legs)
      lines.push(`  leg ${sink}: ${legText(change, settings.map(settingText))}`)
  }
  for (const { stream, group, settings } of told.groups)
    lines.push(`group ${group} of stream ${stream}: ${settings.map(settingText).join(", ")}`)
  for (const { cluster, change } of told.clusters) lines.push(`cluster ${cluster}: ${change}`)
  for (const [what, { sinks, clusters }] of [
    ["opened", told.opened],
    ["closed, unless another stream is there", told.closed]
  ] as const) {
    const all = [...clusters.map((name) => `cluster ${name}`), ...sinks]
    if (all.length > 0) lines.push(`${what}: ${all.join(", ")}`)
  }
  if (told.verdict === "nothing") lines.push("nothing changes")
  if (fleet !== undefined) lines.push(fleetText(fleet))
  return lines
}

function legText(change: "added" | "removed" | "settings", settings: ReadonlyArray<string>): string {
  if (change === "added") return "added, and opened before it is in force"
  if (change === "removed") return "removed, and closed when it is empty"
  return settings.join(", ")
}

function fleetText(fleet: NonNullable<TwoDocuments["fleet"]>): string {
  const late = behind(fleet, fleet.version)
  const all = plural(fleet.processes.length, "process follows", "processes follow")
  const others = late.map((process) => `${process.incarnation} has ${appliedText(process)}`)
  return `${all} the control stream${others.length === 0 ? "" : `; ${others.join(", ")}`}`
}

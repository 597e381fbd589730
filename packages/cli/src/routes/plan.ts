import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { planRoutes, type RoutePlan, type StreamChange } from "leat"
import { CommandFailure, CommandVerdict, exitCode, plural, printable, printJson } from "../outcome.ts"
import { changedSettings, settingsOfSink, settingText } from "./changedSettings.ts"
import { appliedText, behind, toldProcess } from "./controlFlags.ts"
import { otherFlags, type TwoDocuments, twoDocuments } from "./otherDocument.ts"
import { plannedStreams } from "./plannedStreams.ts"
import { subscriptionSettings } from "./settings.ts"

/** What another document would change. */
export const plan = Command.make(
  "plan",
  {
    ...otherFlags,
    stream: Flag.String("stream").pipe(
      Flag.optional,
      Flag.withDescription("Only this stream; without it, those of contracts and those that the documents name")
    ),
    source: Flag.String("source").pipe(Flag.optional, Flag.withDescription("Only for this source"))
  },
  Effect.fnUntraced(function* (flags) {
    const two = yield* twoDocuments(flags)
    const { before, after, streams: known } = two
    const [stream, source] = [Option.getOrUndefined(flags.stream), Option.getOrUndefined(flags.source)]
    const found = planRoutes(before, after, plannedStreams(before, after, { streams: known, stream, source }))
    const told = toldPlan(found, two)
    const isNothing = [told.streams, told.groups, told.clusters].every(({ length }) => length === 0)
    const verdict = found.refused.length > 0 ? "refused" : isNothing ? "nothing" : "changes"
    const report = {
      verdict,
      from: before.version,
      to: after.version,
      ...told,
      notes: two.notes,
      ...(two.fleet === undefined ? {} : { processes: two.fleet.processes.map(toldProcess) })
    }
    if (!flags.json) yield* Console.log(printable(textOf(report, two).join("\n")))
    if (found.refused.length > 0) {
      const faults = found.refused.map(({ path, message }) => `${path}: ${message}`)
      const message = `refused, ${plural(faults.length, "reason")}:\n${faults.join("\n")}`
      return yield* new CommandFailure({ code: exitCode.violations, message, report })
    }
    if (flags.json) yield* printJson(report)
    if (verdict === "changes") return yield* new CommandVerdict({ code: exitCode.changes })
  })
).pipe(
  Command.withDescription(
    "Tell what a document would change for streams, legs and groups; exits 0: nothing, 4: changes, 3: it is refused"
  )
)

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

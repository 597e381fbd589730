import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { Route, Routes } from "leat"
import { json } from "../flags.ts"
import { compileDocument, readDocument } from "../openCluster.ts"
import { CommandFailure, exitCode, printable, printJson } from "../outcome.ts"
import { legSettings, routeSettings, type Setting, subscriptionSettings } from "./settings.ts"

/** Says where a stream goes, with every setting and where it comes from. */
export const explain = Command.make(
  "explain",
  {
    document: Argument.String("document").pipe(Argument.withDescription("Route document")),
    stream: Argument.String("stream").pipe(Argument.withDescription("Name of a stream, as in its contract")),
    source: Flag.String("source").pipe(
      Flag.optional,
      Flag.withDescription("Who publishes or reads it; without it, each route that some source takes")
    ),
    group: Flag.String("group").pipe(Flag.optional, Flag.withDescription("Also how this group reads the stream")),
    json
  },
  Effect.fnUntraced(function* ({ document: file, stream, group: named, ...flags }) {
    const routes = yield* compileDocument(file, yield* readDocument(file))
    const source = Option.getOrUndefined(flags.source)
    const found = routes.routesOf(stream, source)
    const group = Option.getOrUndefined(named)
    const { version } = routes
    const report = {
      file,
      version,
      stream,
      ...(source === undefined ? {} : { source }),
      routes: found.map((route) => explained(routes, route)),
      ...(group === undefined ? {} : { group: { group, settings: subscriptionSettings(routes, stream, group) } })
    }
    if (found.length === 0) {
      const from = source === undefined ? "" : ` from source ${source}`
      const message = `no route of ${file} matches stream ${stream}${from}: it cannot be opened; add one, or a last route for "*"`
      return yield* new CommandFailure({ code: exitCode.violations, message, report })
    }
    if (flags.json) return yield* printJson(report)
    const from = source === undefined ? "" : ` from source ${source}`
    const lines = [`stream ${stream}${from}, version ${version} of ${file}`]
    for (const { path, match, settings, legs } of report.routes) {
      const sources = match.source === "*" ? (found.length > 1 ? "all other sources" : "all sources") : match.source
      const why = source === undefined ? `for ${sources}` : "the first that matches"
      lines.push(`${path} (stream ${match.stream}, source ${match.source}): ${why}`)
      lines.push(...columns(settings))
      for (const leg of legs) {
        lines.push(`leg ${leg.sink}${leg.isRead ? ", which groups read" : ""}`, ...columns(leg.settings))
      }
    }
    if (report.group !== undefined) lines.push(`group ${report.group.group}`, ...columns(report.group.settings))
    yield* Console.log(printable(lines.join("\n")))
  })
).pipe(
  Command.withDescription(
    "Tell where a stream goes: which route, its legs, and where each setting comes from; opens nothing"
  )
)

function explained(routes: Routes, route: Route) {
  const match = routes.document.routes[route.index]?.match
  return {
    path: `routes[${route.index}]`,
    match: { stream: match?.stream ?? "*", source: match?.source ?? "*" },
    settings: routeSettings(routes, route),
    legs: route.legs.map((leg) => ({
      path: leg.path,
      sink: leg.sink,
      isRead: leg === route.readLeg,
      settings: legSettings(routes, leg)
    }))
  }
}

function columns(settings: ReadonlyArray<Setting>): ReadonlyArray<string> {
  const width = (of: (one: Setting) => string): number => Math.max(...settings.map((one) => of(one).length))
  const [names, values] = [width(({ setting }) => setting), width(({ value }) => value)]
  return settings.map(({ setting, value, from }) => `  ${setting.padEnd(names)}  ${value.padEnd(values)}  ${from}`)
}

import { Clock, Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { Audit, formatEventId, type Leg, type Route } from "leat"
import { directoryDefault, json } from "../flags.ts"
import { topicFailure } from "../log/openLog.ts"
import { compileDocument, misuse, openForLooking, readDocument } from "../openCluster.ts"
import { type CommandFailure, CommandVerdict, exitCode, printable, printJson } from "../outcome.ts"
import { table } from "../table.ts"

/** Compares a leg with the one that is read, event by event. */
export const shadow = Command.make(
  "shadow",
  {
    routes: Flag.String("routes").pipe(Flag.withDescription("Route document")),
    stream: Flag.String("stream").pipe(Flag.withDescription("Name of a stream, as in its contract")),
    source: Flag.String("source").pipe(
      Flag.optional,
      Flag.withDescription("Who publishes it; needed where several routes take the stream")
    ),
    leg: Flag.String("leg").pipe(
      Flag.optional,
      Flag.withDescription(
        "The leg that is compared, as cluster/topic; not needed where there is one beside that which is read"
      )
    ),
    buckets: Flag.Int("buckets").pipe(
      Flag.withDefault(3840),
      Flag.withDescription(
        "Buckets of the contract, for the share of a canary; 3840 unless the contract says otherwise"
      )
    ),
    from: Flag.String("from").pipe(
      Flag.optional,
      Flag.withDescription(
        "Compare events that were offered from this time on: 2026-11-24T09:00:00Z; all, when not given"
      )
    ),
    window: Flag.String("window").pipe(
      Flag.withDefault("1m"),
      Flag.withDescription("Length of a window: 1m, 10 minutes, 1 hour; 1m when not given")
    ),
    json
  },
  Effect.fnUntraced(function* (flags) {
    const windowMs = yield* windowOf(flags.window)
    const fromTimeMs = yield* timeMs(flags.from)
    if (flags.buckets < 1) return yield* misuse(`--buckets is 1 or more, and not ${flags.buckets}`)
    const document = yield* compileDocument(flags.routes, yield* readDocument(flags.routes))
    const found = document.routesOf(flags.stream, Option.getOrUndefined(flags.source))
    const { readLeg, leg } = yield* legsOf(found, flags)
    const open = ({ cluster, topic }: Leg) =>
      Effect.map(
        openForLooking({
          directory: directoryDefault,
          routes: Option.some(flags.routes),
          cluster: Option.some(cluster)
        }),
        ({ transport }) => ({ transport, topic })
      )
    const [primary, copy] = [yield* open(readLeg), yield* open(leg)]
    // Which of the two topics is not there, its own cluster says.
    for (const { transport, topic } of [primary, copy])
      yield* transport.bounds(topic).pipe(Effect.asVoid, Effect.catch(topicFailure(transport, topic)))
    const report = yield* Audit.shadow(primary, copy, {
      stream: flags.stream,
      windowMs,
      ...(fromTimeMs === undefined ? {} : { fromTimeMs }),
      ...(leg.canary === undefined ? {} : { canary: { ...leg.canary, buckets: flags.buckets } })
    }).pipe(Effect.catch(topicFailure(copy.transport, copy.topic)))
    const told = { primary: readLeg.sink, leg: leg.sink, ...report }
    const stands = standsStill(report, windowMs, yield* Clock.currentTimeMillis)
    if (flags.json) yield* printJson({ ...told, ...(stands === undefined ? {} : { stands }) })
    else yield* Console.log(printable(textOf(told)))
    if (!flags.json && stands !== undefined) yield* Console.log(`\nnote: ${stands}`)
    if (stands !== undefined || report.missing + report.extra + report.different > 0)
      return yield* new CommandVerdict({ code: exitCode.changes })
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Compare a leg of a stream with the leg that is read: which events are missing there, which are extra, and which have other bytes"
  )
)

/** What was offered so long ago is on its way no more, in milliseconds. */
const onItsWayMsMax = 10 * 60_000

/** Why a leg that lacks nothing that can be told may still be dead; undefined: it is not. */
function standsStill({ windows, ...all }: Audit.ShadowReport, windowMs: number, nowMs: number): string | undefined {
  const lateMs = nowMs - onItsWayMsMax - windowMs
  const late = windows.reduce((sum, { fromMs, onItsWay }) => (fromMs < lateMs ? sum + onItsWay : sum), 0)
  if (late > 0)
    return `${late} events have been on their way for more than 10 minutes: look whether the leg still stores anything`
  if (all.equal + all.different > 0 || all.unauditable === 0) return undefined
  return `nothing stands on both sides, so none of ${all.unauditable} events can be judged: look whether the leg has ever stored anything`
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const windowOf = Effect.fnUntraced(function* (text: string) {
  const [, count, unit = ""] = /^([1-9]\d{0,4}) ?(s|m|h|d)(?:econds?|inutes?|ours?|ays?)?$/.exec(text) ?? []
  const ms = unitMs[unit]
  if (count === undefined || ms === undefined)
    return yield* misuse(`--window ${text} is no time; say one as 1m or "10 minutes"`)
  return Number(count) * ms
})

const timeMs = Effect.fnUntraced(function* (text: Option.Option<string>) {
  if (Option.isNone(text)) return undefined
  const ms = /^\d{4}-\d\d-\d\d/.test(text.value) ? Date.parse(text.value) : Number.NaN
  if (Number.isNaN(ms)) return yield* misuse(`--from ${text.value} is no time; say one as 2026-11-24T09:00:00Z`)
  return ms
})

/** The leg that is read, and the one that is compared with it. */
const legsOf = Effect.fnUntraced(function* (
  routes: ReadonlyArray<Route>,
  {
    routes: file,
    stream,
    leg: named
  }: { readonly routes: string; readonly stream: string; readonly leg: Option.Option<string> }
): Effect.fn.Return<{ readonly readLeg: Leg; readonly leg: Leg }, CommandFailure> {
  const [route, another] = routes
  if (route === undefined) return yield* misuse(`no route of ${file} matches stream ${stream}`)
  if (another !== undefined)
    return yield* misuse(`several routes of ${file} take stream ${stream}; name who publishes it, by --source`)
  const others = route.legs.filter((one) => one !== route.readLeg)
  const sinks = others.map(({ sink }) => sink).join(", ")
  if (others.length === 0)
    return yield* misuse(`stream ${stream} has one leg, ${route.readLeg.sink}: there is nothing to compare it with`)
  const chosen = Option.isSome(named) ? others.filter(({ sink }) => sink === named.value) : others
  const [leg] = chosen
  if (leg === undefined) return yield* misuse(`--leg ${Option.getOrElse(named, () => "")} is none of ${sinks}`)
  if (chosen.length > 1)
    return yield* misuse(`stream ${stream} has several legs beside the one that is read; name one by --leg: ${sinks}`)
  return { readLeg: route.readLeg, leg }
})

/** Ids that are named of each finding on a terminal. */
const idsMax = 5

const findings = ["equal", "different", "missing", "extra", "onItsWay", "unauditable"] as const

function textOf(report: Audit.ShadowReport & { readonly primary: string; readonly leg: string }): string {
  const counts = (of: Readonly<Record<(typeof findings)[number], number>>) => findings.map((name) => of[name])
  const headings = ["FROM", "EQUAL", "DIFFERENT", "MISSING", "EXTRA", "ON ITS WAY", "UNAUDITABLE"]
  const rows = report.windows.map((window) => [new Date(window.fromMs).toISOString(), ...counts(window)])
  const named = (what: string, ids: Audit.ShadowReport["missingIds"]) =>
    ids.slice(0, idsMax).map((id) => `${what}: ${formatEventId(id)}`)
  const ids = [
    ...named("different", report.differentIds),
    ...named("missing", report.missingIds),
    ...named("extra", report.extraIds)
  ]
  const parts = [
    `${report.leg}, compared with ${report.primary}`,
    table(headings, [...rows, ["all", ...counts(report)]]),
    ...(ids.length === 0 ? [] : [ids.join("\n")])
  ]
  return parts.join("\n\n")
}

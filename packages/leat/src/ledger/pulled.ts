/**
 * Metrics whose values are read when somebody scrapes. They are put into Effect's registry as they are: `Metric.registerUnsafe` makes four
 * closures for each, and ten thousand streams have seventy thousand.
 */
import { Context, Metric } from "effect"

/** A kind of series: what it is called, and how it is read from whoever has one. */
export interface Pulled<A> {
  readonly name: string
  readonly type: "Counter" | "Gauge"
  /** Of a gauge: it says the most of those that have one, and not their sum. */
  readonly isMost?: boolean
  readonly read: (of: A) => number
}

type Attributes = Readonly<Record<string, string>>

/** One series: the sum over whoever has it, or the most. Mostly that is one; a stream of one name in several leats of a process has several. */
class Reading<A> {
  readonly #kind: Pulled<A>
  #first: A | undefined
  #others: Set<A> | undefined
  /** Of counters that were taken out: a counter never goes back while somebody has it. */
  #ended = 0
  /** The most that a counter has said: what was handled and comes again is taken back from the ledger, and is not counted twice here. */
  #most = 0

  constructor(kind: Pulled<A>, of: A) {
    this.#kind = kind
    this.#first = of
  }

  get() {
    const { read, type, isMost } = this.#kind
    let value = this.#first === undefined ? this.#ended : this.#ended + read(this.#first)
    for (const one of this.#others ?? []) value = isMost === true ? Math.max(value, read(one)) : value + read(one)
    if (type !== "Counter") return { value }
    this.#most = Math.max(this.#most, value)
    return { count: this.#most, incremental: true }
  }

  update(): void {}

  modify(): void {}

  add(of: A): void {
    if (this.#first === of) return
    this.#others ??= new Set()
    this.#others.add(of)
  }

  /** Takes one out; returns whether that was the last. */
  remove(of: A): boolean {
    const isFirst = this.#first === of
    if (!isFirst && this.#others?.delete(of) !== true) return false
    if (isFirst) this.#first = undefined
    if (this.#kind.type === "Counter") this.#ended += this.#kind.read(of)
    return this.isEmpty
  }

  get isEmpty(): boolean {
    return this.#first === undefined && (this.#others?.size ?? 0) === 0
  }
}

/** Registers a series of each kind, until `unregister`. Whoever registers the same ones later adds to them. */
export function register<A>(
  kinds: ReadonlyArray<Pulled<A>>,
  of: A,
  attributes: Attributes,
  context: Context.Context<never>
): void {
  const registry = Context.get(context, Metric.MetricRegistry)
  const all = withContextual(attributes, context)
  for (const kind of kinds) {
    const { name, type } = kind
    const key = keyOf(name, type, all)
    const found = registry.get(key)?.hooks
    if (found instanceof Reading) found.add(of)
    else registry.set(key, { id: name, type, description: undefined, attributes: all, hooks: new Reading(kind, of) })
  }
}

/** Series of counters that nobody has any more and that stay all the same, by registry. */
const kept = new WeakMap<object, Set<string>>()

/** Takes out what was registered for `of`, and not what others have added or put in its place. `isKept`: what it has counted stays, until `forgetKept`. */
export function unregister<A>(
  kinds: ReadonlyArray<Pulled<A>>,
  of: A,
  attributes: Attributes,
  context: Context.Context<never>,
  isKept = false
): void {
  const registry = Context.get(context, Metric.MetricRegistry)
  const all = withContextual(attributes, context)
  for (const { name, type } of kinds) {
    const key = keyOf(name, type, all)
    const hooks = registry.get(key)?.hooks
    if (!(hooks instanceof Reading) || !hooks.remove(of)) continue
    if (!isKept) registry.delete(key)
    else kept.set(registry, (kept.get(registry) ?? new Set<string>()).add(key))
  }
}

/** Takes out the series that were kept. */
export function forgetKept(context: Context.Context<never>): void {
  const registry = Context.get(context, Metric.MetricRegistry)
  for (const key of kept.get(registry) ?? []) {
    const hooks = registry.get(key)?.hooks
    if (hooks instanceof Reading && hooks.isEmpty) registry.delete(key)
  }
  kept.delete(registry)
}

/** With what the context adds to all metrics. */
function withContextual(attributes: Attributes, context: Context.Context<never>): Attributes {
  const contextual = Context.get(context, Metric.CurrentMetricAttributes)
  return Object.keys(contextual).length === 0 ? attributes : { ...attributes, ...contextual }
}

/** As Effect has it, so that a metric of the same name and attributes is the same series (a test compares). */
function keyOf(name: string, type: string, attributes: Attributes): string {
  const entries = Object.entries(attributes).toSorted(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
  return JSON.stringify([type, name, undefined, entries])
}

/**
 * Metrics whose values are read when somebody scrapes. They are put into Effect's registry as they are: `Metric.registerUnsafe` makes four
 * closures for each, and ten thousand streams have seventy thousand.
 */
import { Context, Metric } from "effect"

/** A kind of series: what it is called, and how it is read from whoever has one. */
export interface Pulled<A> {
  readonly name: string
  readonly type: "Counter" | "Gauge"
  readonly read: (of: A) => number
}

type Attributes = Readonly<Record<string, string>>

class Reading<A> {
  readonly #kind: Pulled<A>
  readonly #of: A

  constructor(kind: Pulled<A>, of: A) {
    this.#kind = kind
    this.#of = of
  }

  get() {
    const value = this.#kind.read(this.#of)
    return this.#kind.type === "Counter" ? { count: value, incremental: true } : { value }
  }

  update(): void {}

  modify(): void {}

  /** Whether it reads what belongs to this one. */
  isOf(of: unknown): boolean {
    return this.#of === of
  }
}

/** Registers a series of each kind, until `unregister`. Who registers the same ones later takes their place. */
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
    const hooks = new Reading(kind, of)
    registry.set(keyOf(name, type, all), { id: name, type, description: undefined, attributes: all, hooks })
  }
}

/** Takes out what was registered for `of`, and not what others have put in its place. */
export function unregister<A>(
  kinds: ReadonlyArray<Pulled<A>>,
  of: A,
  attributes: Attributes,
  context: Context.Context<never>
): void {
  const registry = Context.get(context, Metric.MetricRegistry)
  const all = withContextual(attributes, context)
  for (const { name, type } of kinds) {
    const key = keyOf(name, type, all)
    const hooks = registry.get(key)?.hooks
    if (hooks instanceof Reading && hooks.isOf(of)) registry.delete(key)
  }
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

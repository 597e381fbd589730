import { median, round } from "../measure.ts"
import type { Comparison, LatencyFigures, SideFigures } from "./figures.ts"
import type { Turn } from "./Side.ts"

/** Of fewer a median says nothing. */
const roundsMin = 3

/** Turns of several ways, all of them once a round: a machine that is busy for a while hits all alike. */
export class Rounds<Way extends string> {
  readonly #turns: Readonly<Record<Way, () => Promise<Turn>>>
  readonly #taken = new Map<Way, Array<Turn>>()

  constructor(turns: Readonly<Record<Way, () => Promise<Turn>>>) {
    this.#turns = turns
  }

  /** At least three rounds; no more are begun after the deadline, by the clock of `performance`. */
  async run(rounds: number, deadlineMs: number): Promise<void> {
    const ways = Object.keys(this.#turns) as Array<Way>
    for (let index = 0; index < rounds && (index < roundsMin || performance.now() < deadlineMs); index++) {
      // There and back, so that none always comes behind the same other.
      for (const way of index % 2 === 0 ? ways : ways.toReversed()) {
        this.#of(way).push(await this.#turns[way]())
      }
    }
  }

  figures(way: Way): SideFigures {
    const turns = this.#of(way)
    return {
      eventsPerSecond: Math.round(median(turns.map(rateOf))),
      cpuUsPerEvent: round(median(turns.map(cpuOf)))
    }
  }

  compare(way: Way, other: Way): Comparison {
    const others = this.#of(other)
    const ratioOf = (figure: (turn: Turn) => number) =>
      this.#of(way).map((turn, index) => figure(turn) / figure(others[index] ?? turn))
    const ratios = ratioOf(rateOf)
    return { ratio: round(median(ratios)), ratios: ratios.map(round), cpuRatio: round(median(ratioOf(cpuOf))) }
  }

  #of(way: Way): Array<Turn> {
    const turns = this.#taken.get(way) ?? []
    this.#taken.set(way, turns)
    return turns
  }
}

const rateOf = ({ events, seconds }: Turn): number => events / seconds
const cpuOf = ({ events, cpuUs }: Turn): number => cpuUs / events

/** Part of the events at the beginning that only warm up. */
const warmUpPart = 0.2

export function latencyFigures(latenciesMs: ReadonlyArray<number>): LatencyFigures {
  const sorted = latenciesMs.slice(Math.floor(latenciesMs.length * warmUpPart)).toSorted((left, right) => left - right)
  const at = (part: number) => round(sorted[Math.floor(sorted.length * part)] ?? Number.NaN)
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

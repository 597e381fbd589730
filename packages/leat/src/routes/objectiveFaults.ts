/** What is wrong with the loss objectives of a document. */
import { millisOf, type ObjectiveSpec, type RouteFault } from "./RouteDocument.ts"

/** Least and most of the events that may be lost. With more than the most of it, the fastest burn that is told could not be reached. */
const lossMin = 0.000_001
const lossMax = 0.05

const dayMs = 86_400_000
const daysMax = 30

export function objectiveFaults(objective: ObjectiveSpec | undefined, path: string): ReadonlyArray<RouteFault> {
  if (objective === undefined) return []
  const { loss, window } = objective
  const faults: Array<RouteFault> = []
  if (!(loss >= lossMin && loss <= lossMax)) {
    const why = loss === 0 ? "0 leaves nothing that may be lost" : `${loss} is not between ${lossMin} and ${lossMax}`
    faults.push({ path: `${path}.loss`, message: `${why}; say the share of events that may be lost: 0.0001 is 0.01 %` })
  }
  const windowMs = millisOf(window)
  if (windowMs < dayMs || windowMs > daysMax * dayMs) {
    const message = `${window} is not between 1 day and ${daysMax} days; an alert looks at an hour at least, which is too much of a shorter window`
    faults.push({ path: `${path}.window`, message })
  }
  return faults
}

import type { Chronicle, Verdict } from "./Chronicle.ts"
import { judgeAnswers } from "./judgeAnswers.ts"
import { judgeAudits } from "./judgeAudits.ts"
import { judgeBooks } from "./judgeBooks.ts"
import { judgeFallbacks } from "./judgeFallbacks.ts"
import { judgeHandling } from "./judgeHandling.ts"
import { judgeLetters } from "./judgeLetters.ts"
import { judgeOrder } from "./judgeOrder.ts"
import { judgeRetries } from "./judgeRetries.ts"
import { judgeSpills } from "./judgeSpills.ts"
import { judgeStorage } from "./judgeStorage.ts"
import { judgeTables } from "./judgeTables.ts"
import { judgeUndelivered } from "./judgeUndelivered.ts"

/**
 * Everything that is wrong with a story that has ended, with the evidence; empty when nothing is.
 *
 * @example
 * ```ts
 * for (const { kind, evidence } of judge(chronicle)) console.error(`${kind}: ${evidence}`)
 * ```
 */
export function judge(chronicle: Chronicle): ReadonlyArray<Verdict> {
  chronicle.identify()
  return [
    ...chronicle.noticed,
    ...judgeStorage(chronicle),
    ...judgeAnswers(chronicle),
    ...judgeHandling(chronicle),
    ...judgeOrder(chronicle),
    ...judgeLetters(chronicle),
    ...judgeRetries(chronicle),
    ...judgeUndelivered(chronicle),
    ...judgeSpills(chronicle),
    ...judgeFallbacks(chronicle),
    ...judgeBooks(chronicle),
    ...judgeTables(chronicle),
    ...judgeAudits(chronicle)
  ]
}

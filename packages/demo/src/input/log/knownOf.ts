import type { Known } from "./Known.ts"
import { readHead } from "./readHead.ts"
import { readStructured } from "./structured.ts"
import { readStamp } from "./Stamp.ts"

/** What a line says of itself, in whichever form. */
export function knownOf(text: string): Known {
  // Files that were put together may have byte order marks in their middle.
  const at = text.startsWith("\uFEFF") ? 1 : 0
  return contained(text, at) ?? readStructured(text, at) ?? readHead(text, at) ?? { messageAt: 0 }
}

/** A line of Kubernetes: `TIME stdout F line`, around a line of whatever runs in the container. */
function contained(text: string, at: number): Known | undefined {
  const time = readStamp(text, at)
  if (time === undefined) return undefined
  const frame = / std(?:out|err) [FP] /y
  frame.lastIndex = time.end
  if (!frame.test(text)) return undefined
  const { lastIndex } = frame
  return { messageAt: lastIndex, ...(readStructured(text, lastIndex) ?? readHead(text, lastIndex)), stamp: time.stamp }
}

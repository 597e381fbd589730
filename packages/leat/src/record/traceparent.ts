/** The form of `traceparent`, as W3C has it. What is none is rejected where leat writes it, and read as if it were not there: a trace begins anew. */

/** Later versions may say more behind it. */
const traceparentForm = /^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(?:-|$)/
const traceparentLength = 55
const noTrace = "0".repeat(32)
const noSpan = "0".repeat(16)

/** Whether a text is a trace context that somebody can go on with. */
export function isTraceparent(text: string): boolean {
  if (!traceparentForm.test(text) || text.startsWith("ff")) return false
  if (text.startsWith("00") && text.length > traceparentLength) return false
  return !text.startsWith(noTrace, 3) && !text.startsWith(noSpan, 36)
}

/** Whether two trace contexts are of one trace. */
export function isSameTrace(one: string, other: string): boolean {
  return one === other || one.slice(3, 35) === other.slice(3, 35)
}

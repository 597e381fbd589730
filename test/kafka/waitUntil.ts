import { waitUntil as within } from "leat/testing"

/** As that of `leat/testing`, with a minute: it ends a test that hangs and judges nothing, and on two busy cores a second has taken ten. */
export const waitUntil: typeof within = (what, is, options) => within(what, is, { withinMs: 60_000, ...options })

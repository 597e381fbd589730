import { drawWorld, simulateWorld, shrinkWorld, storyLines, worldLines, type Occasion } from "leat/testing"
const [seed, mishap, state, mode = "", grep = "", tellings = "300"] = process.argv.slice(2)
const focus = mishap && mishap !== "-" ? ({ mishap, state } as Occasion) : undefined
let w = drawWorld(Number(seed), focus)
const v = simulateWorld(w).verdicts
console.log(v.slice(0, 4).map((v) => v.kind + ": " + v.evidence.slice(0, 600)))
if (mode.includes("s") && v[0])
  w = shrinkWorld(
    w,
    (x) => simulateWorld(x).verdicts.some((o) => o.kind === v[0]!.kind && (!grep || new RegExp(grep).test(o.evidence))),
    { tellingsMax: Number(tellings) }
  )
const t = simulateWorld(w)
console.log(worldLines(w).join("\n"))
console.log(t.verdicts.slice(0, 4).map((v) => v.kind + ": " + v.evidence.slice(0, 600)))
if (mode.includes("l")) console.log(storyLines(t.chronicle).join("\n"))

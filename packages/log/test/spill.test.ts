import { expect, it } from "vitest"
import { crashSpill } from "./spill/crashSpill.ts"

it(
  "processes that are killed while their cluster comes and goes lose nothing that was told safe, and the next one sends it in order",
  { timeout: 120_000 },
  async () => {
    const report = await crashSpill(3, Number(process.env["LEAT_SEED"] ?? 1))
    expect(report.violation).toBeUndefined()
    expect(report.safe).toBeGreaterThanOrEqual(60)
    expect(report.stored).toBeGreaterThanOrEqual(report.safe)
  }
)

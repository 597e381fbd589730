import { open } from "leat/promise"
import { expect, it } from "vitest"
import { routes } from "../consume/support.ts"
import { noteContract } from "../contracts/Note.ts"

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

it("a group gives every member a partition while there are enough, also to one that comes late", async () => {
  const document = { ...routes(), clusters: { local: { transport: "memory", partitions: 4 } } }
  await using leat = await open({ source: "test", routes: document })
  const notes = await leat.stream(noteContract())
  const seen = [new Set<string>(), new Set<string>(), new Set<string>()]
  for (const keys of seen) {
    await notes.handle("g", ({ key }) => void keys.add(key))
    await wait(20)
  }
  await notes.publishAll(Array.from({ length: 200 }, (_, index) => ({ key: `k${index}`, text: "1" })))
  await expect.poll(() => seen.reduce((sum, keys) => sum + keys.size, 0)).toBe(200)
  for (const keys of seen) expect(keys.size).toBeGreaterThan(0)
})

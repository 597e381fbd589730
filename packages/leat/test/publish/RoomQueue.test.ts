import { Clock, Context, Effect, Scheduler } from "effect"
import fc from "fast-check"
import { simulate } from "leat/testing"
import { describe, expect, it } from "vitest"
import { type InLine, noTicket, RoomQueue } from "../../src/publish/RoomQueue.js"

/** What is given back, and who comes, gives up and tries, in any order. */
type Step = { readonly do: "come" | "leave" | "free" | "pass"; readonly n: number }
const steps = fc.array(
  fc.record({
    do: fc.constantFrom<Step["do"]>("come", "come", "leave", "free", "pass"),
    n: fc.integer({ min: 1, max: 40 })
  }),
  { maxLength: 60 }
)

const run = (program: (queue: RoomQueue) => Effect.Effect<void>) => {
  const { exit } = simulate(
    1,
    Effect.gen(function* () {
      const context = yield* Effect.context<never>()
      yield* program(new RoomQueue(Context.get(context, Clock.Clock), yield* Scheduler.Scheduler, context))
    })
  )
  expect(exit._tag).toBe("Success")
}

describe("the line for room", () => {
  it("serves by ticket, as long as the first fits, and lets nobody pass", () => {
    fc.assert(
      fc.property(steps, (all) =>
        run((queue) =>
          Effect.gen(function* () {
            let room = 0
            let tickets = 0
            const line: Array<{ readonly ticket: number; readonly size: number; readonly entry: InLine }> = []
            const served: Array<number> = []
            const drop = (ticket: number) =>
              line.splice(
                line.findIndex((one) => one.ticket === ticket),
                1
              )
            const come = (size: number) => {
              // Every third comes from another line, with an older ticket.
              const ticket = ++tickets * 2 - (tickets % 3 === 0 ? 5 : 0)
              const entry: InLine = {
                ticket,
                owner: "owner",
                untilMs: Number.POSITIVE_INFINITY,
                expire: () => undefined,
                serve: () => {
                  expect(line[0]?.ticket).toBe(ticket)
                  if (size > room) return false
                  room -= size
                  served.push(ticket)
                  drop(ticket)
                  queue.leave(entry)
                  return true
                }
              }
              queue.join(entry)
              line.push({ ticket, size, entry })
              line.sort((left, right) => left.ticket - right.ticket)
            }
            for (const one of all) {
              if (one.do === "come") come(one.n)
              if (one.do === "leave") {
                const gone = line[one.n % Math.max(1, line.length)]
                if (gone !== undefined) {
                  drop(gone.ticket)
                  queue.leave(gone.entry)
                }
              }
              if (one.do === "free") {
                room += one.n
                const before = served.length
                queue.freed()
                // Never in the stack of whoever gives back.
                expect(served.length).toBe(before)
              }
              if (one.do === "pass") yield* Effect.sleep(1)
              expect([queue.length, queue.of("owner"), queue.of("other")]).toEqual([line.length, line.length, 0])
              expect(queue.isHeld(noTicket)).toBe(line.length > 0)
              for (const { ticket } of line) expect(queue.isHeld(ticket)).toBe(ticket !== line[0]?.ticket)
            }
            room += 10_000
            queue.freed()
            yield* Effect.sleep(1)
            expect(line).toEqual([])
          })
        )
      )
    )
  })

  it("rings each at its time, and whoever comes later at his", () =>
    run((queue) =>
      Effect.gen(function* () {
        const rung: Array<[number, number]> = []
        const startMs = queue.nowMs
        for (const [ticket, ms] of [
          [1, 300],
          [2, 100],
          [3, 100],
          [4, 500]
        ] as const) {
          const entry: InLine = {
            ticket,
            owner: undefined,
            untilMs: startMs + ms,
            serve: () => false,
            expire: () => {
              rung.push([ticket, queue.nowMs - startMs])
              queue.leave(entry)
            }
          }
          queue.join(entry)
        }
        yield* Effect.sleep(1000)
        expect(rung).toEqual([
          [2, 100],
          [3, 100],
          [1, 300],
          [4, 500]
        ])
        expect(queue.length).toBe(0)
      })
    ))

  it("lets the next look for itself when the first gives up", () =>
    run((queue) =>
      Effect.gen(function* () {
        const tried: Array<number> = []
        const entry = (ticket: number): InLine => ({
          ticket,
          owner: undefined,
          untilMs: Number.POSITIVE_INFINITY,
          expire: () => undefined,
          serve: () => {
            tried.push(ticket)
            return false
          }
        })
        const [large, small, smaller] = [entry(1), entry(2), entry(3)]
        for (const one of [large, small, smaller]) queue.join(one)
        queue.leave(large)
        yield* Effect.sleep(1)
        expect(tried).toEqual([2])
        queue.leave(smaller)
        yield* Effect.sleep(1)
        expect(tried).toEqual([2])
      })
    ))

  it("serves a hundred thousand in time that grows with their number, and not with the square of it", () => {
    run((queue) =>
      Effect.gen(function* () {
        let served = 0
        for (let ticket = 1; ticket <= 100_000; ticket++) {
          const entry: InLine = {
            ticket,
            owner: "owner",
            untilMs: Number.POSITIVE_INFINITY,
            expire: () => undefined,
            serve: () => {
              served++
              queue.leave(entry)
              return true
            }
          }
          queue.join(entry)
        }
        const beganMs = performance.now()
        queue.freed()
        yield* Effect.sleep(1)
        expect(served).toBe(100_000)
        // Some 30 ms; ten seconds and more where each who leaves moves all others.
        expect(performance.now() - beganMs).toBeLessThan(2000)
      })
    )
  })
})

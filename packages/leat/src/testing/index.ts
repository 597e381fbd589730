/** leat/testing: what leat is tested with, for services and drivers to test themselves with. */
export * from "./FaultTransport.ts"
export * from "./History.ts"
export { batchOf, type PlainRecord } from "../record/batchOf.ts"
export * from "./PowerLoss.ts"
export * from "./seededRandom.ts"
export * from "./SeededScheduler.ts"
export * from "./judge/Chronicle.ts"
export { judge } from "./judge/judge.ts"
export { calm, type Scenario, type Stage } from "./story/Scenario.ts"
export { mishaps, type Mishap, occasionName, type Occasion, Occasions, states, type State } from "./story/Occasions.ts"
export { type Told, tellWorld } from "./story/tellWorld.ts"
export {
  drawWorld,
  type World,
  type WorldCanary,
  type WorldDisk,
  type WorldFallback,
  type WorldGroup,
  type WorldLeg,
  type WorldSpill,
  type WorldStream
} from "./story/World.ts"
export { simulateWorld, type SimulatedWorld } from "./story/simulateWorld.ts"
export { shrinkWorld, type ShrinkOptions } from "./story/shrinkWorld.ts"
export { storyLines, worldLines } from "./story/storyLines.ts"
export { tellStory } from "./story/tellStory.ts"
export * from "./TransportSuite.ts"
export { type FailedHandling, HandlersFailed } from "./HandlersFailed.ts"
export * from "./waitUntil.ts"
export * from "./waitUntilQuiet.ts"

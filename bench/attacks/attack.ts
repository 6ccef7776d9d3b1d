import type { SpawnedMesh, SpawnedMeshOptions } from '../rows/spawned-mesh.js'

/** The least that honest members are to keep of their usual rate. */
export const GOAL = 0.5

/** How the workers of a row are started. */
export type MeshSettings = Pick<SpawnedMeshOptions, 'settings' | 'processors'>

/** One row: an attack, and what honest members do meanwhile. */
export interface Attack {
  /** For the table. */
  readonly name: string
  /** What honest members do: `answers/s`. */
  readonly unit: string
  /** How the workers are started. Left out: one processor, and all settings as by default. */
  readonly mesh?: (home: string) => MeshSettings | Promise<MeshSettings>
  /** Makes everything that the attack and the honest members need. The attack does not run yet. */
  prepare(stage: Stage): Promise<Scene>
}

/** What an attack is prepared with. */
export interface Stage {
  readonly mesh: SpawnedMesh
  /** Aborted when the benchmark is ended early. */
  readonly signal: AbortSignal
  /** Has `close` called when the row is over, the last first. */
  cleanup(close: () => Promise<void>): void
}

/** An attack that can be started and stopped again and again. */
export interface Scene {
  /** How many honest operations are under way at once. Left out: 1. */
  readonly atOnce?: number
  /** How long honest operations are counted in each phase, in milliseconds. Left out: 2,000. */
  readonly phaseMs?: number
  /**
   * One honest operation.
   *
   * @returns the time from its start to its first answer, in milliseconds
   * @throws when it failed
   */
  honest(signal: AbortSignal): Promise<number>
  /** Starts the attack. Resolves when it is under way. */
  start(): Promise<void>
  /** Stops it. Resolves when it is over. */
  stop(): Promise<void>
  /** Called after each phase without (`false`) and with (`true`) the attack. */
  onPhase?(isAttacked: boolean): void
  /** What else was measured, for people. Called after the last round. */
  notes(): string[]
}

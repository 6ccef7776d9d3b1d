import type { SpawnedMesh, SpawnedMeshOptions } from '../rows/spawned-mesh.js'

/** The least share of their usual rate that regular clients must have under attack. */
export const GOAL = 0.5

/** The prompt that crashes the engine in a benchmark: see crashing-engine.ts. */
export const CRASH_PROMPT = 'Crash, please.'

/** How the workers of a row are started. */
export type MeshSettings = Pick<SpawnedMeshOptions, 'settings' | 'processors'>

/** One row of the table: an attack, and what regular clients do meanwhile. */
export interface Attack {
  /** For the table. */
  readonly name: string
  /** What regular clients do: `answers/s`. */
  readonly unit: string
  /** How the workers are started. Default: one processor and the default settings. */
  readonly mesh?: (home: string) => MeshSettings | Promise<MeshSettings>
  /** Prepares the attack and the regular clients. Does not start the attack. */
  prepare(context: AttackContext): Promise<PreparedAttack>
}

/** What an attack is prepared with. */
export interface AttackContext {
  readonly mesh: SpawnedMesh
  /** Aborted when the benchmark is interrupted. */
  readonly signal: AbortSignal
  /** Calls `close` at the end of the row, in reverse order of registration. */
  cleanup(close: () => Promise<void>): void
}

/** An attack that can be started and stopped repeatedly. */
export interface PreparedAttack {
  /** How many regular operations run at once. Default: 1. */
  readonly atOnce?: number
  /** How long regular operations are counted in each phase, in milliseconds. Default: 2,000. */
  readonly phaseMs?: number
  /**
   * One operation of a regular client.
   *
   * @returns the time from its start to its first answer, in milliseconds
   * @throws if it failed
   */
  operation(signal: AbortSignal): Promise<number>
  /** Starts the attack. Resolves when it is in progress. */
  start(): Promise<void>
  /** Stops the attack. Resolves when it has ended. */
  stop(): Promise<void>
  /** Further measurements, as text for the report. Called after the last round. */
  notes(): string[]
}

import { accountCalls } from './account-calls.js'
import { crash, freezingSchema, hostileModel, nestedArrays } from './asking.js'
import type { AttackerFactory } from './attacker.js'
import { crowd } from './crowd.js'
import { foreignBootstrap } from './foreign-bootstrap.js'
import { manyConnections } from './many-connections.js'
import { partialFrames } from './partial-frames.js'
import { refusedHellos } from './refused-hellos.js'
import { silentConnections } from './silent-connections.js'
import { newSquatters, squatters } from './squatters.js'
import { stalledReaders } from './stalled-readers.js'

/** All attackers, by the name that their process is started with. */
const BY_NAME = {
  accountCalls,
  crash,
  crowd,
  foreignBootstrap,
  freezingSchema,
  hostileModel,
  manyConnections,
  nestedArrays,
  newSquatters,
  partialFrames,
  refusedHellos,
  silentConnections,
  squatters,
  stalledReaders,
} satisfies Record<string, AttackerFactory>

export type AttackerName = keyof typeof BY_NAME

export const ATTACKERS: Readonly<Record<string, AttackerFactory>> = BY_NAME

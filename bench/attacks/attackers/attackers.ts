import type { AttackerFactory } from './attacker.js'
import { fakeGateways, newFakeGateways } from './fake-gateways.js'
import { foreignBootstrap } from './foreign-bootstrap.js'
import { manyConnections } from './many-connections.js'
import {
  accountCalls,
  ambiguousSchema,
  crashingPrompt,
  endlessTemplate,
  nestedArrays,
} from './member-requests.js'
import { partialFrames } from './partial-frames.js'
import { simultaneousMembers } from './simultaneous-members.js'
import { stalledReaders } from './stalled-readers.js'
import { refusedHellos, silentConnections } from './unverified-connections.js'

/** All attackers, by the name that is passed to the attacker process. */
const BY_NAME = {
  accountCalls,
  ambiguousSchema,
  crashingPrompt,
  endlessTemplate,
  fakeGateways,
  foreignBootstrap,
  manyConnections,
  nestedArrays,
  newFakeGateways,
  partialFrames,
  refusedHellos,
  silentConnections,
  simultaneousMembers,
  stalledReaders,
} satisfies Record<string, AttackerFactory>

export type AttackerName = keyof typeof BY_NAME

export const ATTACKERS: Readonly<Record<string, AttackerFactory>> = BY_NAME

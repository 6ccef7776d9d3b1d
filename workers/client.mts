#!/usr/bin/env node
import { configOf } from '../config/flags.js'
import { createCommand, runCommand } from '../facilities/cli/command-line.js'
import { addClientCommands } from './client/command-table.js'

const client = createCommand('client', 'Talks to the mesh. Without a command: a chat.')
addClientCommands(client, configOf)
await runCommand(client)

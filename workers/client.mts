#!/usr/bin/env node
import { configOf, createCommand, runCommand } from '../config/command-line.js'
import { addClientCommands } from './client/command-table.js'

const client = createCommand('client', 'Talks to the mesh. Without a command: a chat.')
addClientCommands(client, { createCommand, settingsOf: configOf })
await runCommand(client)

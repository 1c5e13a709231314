#!/usr/bin/env node
import '../dist/cellplane.js';

'use strict';

// A function that does nothing: what a process of Node costs by itself.
exports.handler = async () => ({ function: 'dispatch', counts: { created: 0 } });

'use strict';

/** Levels of alarms that follow from a param; serverless.yml knows no arithmetic. In milliseconds. */
module.exports.slowMs = async ({ resolveVariable }) => Number(await resolveVariable('param:timeout')) * 800;

"use strict";
// The page of the layers of a language model from top to bottom.

function summary() {
  byId("summary").textContent = data.summary;
  footer();
}

afterResize.listen(layerCurves);
[summary, scheme, remarks, layersHelp, layerCurves, sentences, everyValue, aboutMeasures, settings, watchWindow]
  .forEach((part) => part());

sayWhenDrawn();

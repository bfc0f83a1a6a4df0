class CSVLogger: pass
class JSONLinesLogger: pass
class TensorBoardLogger: pass

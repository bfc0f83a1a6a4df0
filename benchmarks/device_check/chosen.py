"""What of the tests and of the microbenchmarks the check runs, by their names."""

from __future__ import annotations

# Every kernel at least once, at sizes that a sanitizer can bear.
SANITIZED = ":".join(
    (
        "DeviceVectors/*.InnerProductsAreSumsOverRows",
        "DeviceVectors/*.CombinationsAreSumsOverColumns",
        "DeviceVectors/*.LargestColumnIsTheLongest",
        "Rows/*.AreCenteredAsOnTheHost",
        "Rows/*.WithNaNOrInfinityAreFound",
        "RowsOfHalves.*",
        "Diffusion/*.OperatorIsThatOfTheHost",
        "Diffusion/*.ProductWithVectorsIsThatOfTheFormula",
        "Kernel/*.IsTheGaussianOfDistances",
        "Kernel/*.OfABatchIsThatOfEachProblem",
        "DeviceOperator/*.IsThatOfTheHostForEverySize",
        "DeviceOperatorOfFloats.ByTensorCores*",
        "WarpgroupSweep.TakesRowsOfEveryLength",
        "DeviceOperatorInHalf.IsThatOfRoundedEntries",
        "DeviceSubsets/*.SpectraAreThoseOfTheHost",
        "DevicePanelQr/*.MultipliesToThePanel",
        "Eigenvalues/*.ReducedTogetherAreThoseOfEachMatrix",
    )
)

# On the emulated device all of them take minutes.
EMULATED = ("--gtest_filter=Rows*:Runtime*:Handles*",)

YARDSTICKS = "gemm|copy"
# Products without a matrix, by every path.
PRODUCT_SIZES = ".*/d:(128|784)/m:(32|64)/"
PRODUCTS = f"{YARDSTICKS}|matrix_free{PRODUCT_SIZES}"
# Reductions and eigenvalues of one matrix, by every driver.
SOLVERS = f"{YARDSTICKS}|eigenvalues|tridiagonal|band"
# What the first call has not run.
REST = f"-{PRODUCTS}|eigenvalues|tridiagonal|band"

# The second launch of the kernel is that of the product; the first one is that of the degrees.
PROFILED_REGISTERS = "matrix_free<float>/registers/.*/d:128/m:64/"
REGISTER_KERNELS = "multiply_in_registers"
PROFILED_WARPGROUPS = "matrix_free<float>/warpgroups/.*/d:128/m:64/"
WARPGROUP_KERNELS = "multiply_in_warpgroups"
PROFILED_KERNEL = r"write_gaussian<double>.*/d:512/"
KERNEL_KERNELS = "write"

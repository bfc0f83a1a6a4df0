# Finds the BLAS and LAPACK of PyPI's scipy-openblas32, by asking the Python that has it, or in
# ScipyOpenBLAS_ROOT (a directory with lib/libscipy_openblas.so).
#
# Defines ScipyOpenBLAS_LIBRARY, ScipyOpenBLAS_LICENSE (its licence, if it is there) and the target
# ScipyOpenBLAS::ScipyOpenBLAS.
if(NOT ScipyOpenBLAS_ROOT)
  find_package(Python COMPONENTS Interpreter QUIET)
  if(Python_EXECUTABLE)
    execute_process(
      COMMAND ${Python_EXECUTABLE} -c
              "import pathlib, scipy_openblas32; print(pathlib.Path(scipy_openblas32.__file__).parent)"
      OUTPUT_VARIABLE ScipyOpenBLAS_ROOT
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()

find_library(ScipyOpenBLAS_LIBRARY NAMES scipy_openblas PATHS ${ScipyOpenBLAS_ROOT}/lib
             NO_DEFAULT_PATH)
set(dist_info ${ScipyOpenBLAS_ROOT}/../scipy_openblas32-*.dist-info)
file(GLOB ScipyOpenBLAS_LICENSE ${dist_info}/LICENSE.txt ${dist_info}/licenses/LICENSE.txt)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  ScipyOpenBLAS REQUIRED_VARS ScipyOpenBLAS_LIBRARY
  REASON_FAILURE_MESSAGE "install it (pip install scipy-openblas32) in the Python that CMake finds \
(-DPython_EXECUTABLE=...), or set ScipyOpenBLAS_ROOT")

if(ScipyOpenBLAS_FOUND AND NOT TARGET ScipyOpenBLAS::ScipyOpenBLAS)
  add_library(ScipyOpenBLAS::ScipyOpenBLAS SHARED IMPORTED)
  set_target_properties(ScipyOpenBLAS::ScipyOpenBLAS PROPERTIES IMPORTED_LOCATION
                                                                ${ScipyOpenBLAS_LIBRARY})
endif()

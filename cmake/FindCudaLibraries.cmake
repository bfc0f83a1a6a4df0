# Finds the headers and libraries of CUDA 13 in NVIDIA's PyPI wheels, by asking the Python that has
# them, or in CudaLibraries_ROOT, a variable of CMake or of the environment: a directory with
# include/ and lib/ (or lib64/), such as that of a toolkit.
#
# Defines CudaLibraries_INCLUDE_DIR and the target CudaLibraries::CudaLibraries: cuBLAS and
# cuSOLVER, and the runtime linked statically.
if(NOT CudaLibraries_ROOT AND DEFINED ENV{CudaLibraries_ROOT})
  set(CudaLibraries_ROOT $ENV{CudaLibraries_ROOT})
endif()
if(NOT CudaLibraries_ROOT)
  find_package(Python COMPONENTS Interpreter QUIET)
  if(Python_EXECUTABLE)
    execute_process(
      COMMAND ${Python_EXECUTABLE} -c
              "import nvidia, pathlib; print(next(str(p) for p in (pathlib.Path(q) / 'cu13' for q in nvidia.__path__) if (p / 'include' / 'cusolverDn.h').exists()))"
      OUTPUT_VARIABLE CudaLibraries_ROOT
      OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  endif()
endif()
if(NOT CudaLibraries_ROOT AND CMAKE_CUDA_COMPILER)
  get_filename_component(nvcc ${CMAKE_CUDA_COMPILER} REALPATH)
  get_filename_component(CudaLibraries_ROOT ${nvcc}/../.. ABSOLUTE)
endif()

set(directories ${CudaLibraries_ROOT}/lib ${CudaLibraries_ROOT}/lib64
                ${CudaLibraries_ROOT}/targets/x86_64-linux/lib)
find_path(CudaLibraries_INCLUDE_DIR cusolverDn.h
          PATHS ${CudaLibraries_ROOT}/include ${CudaLibraries_ROOT}/targets/x86_64-linux/include
          NO_DEFAULT_PATH)
# The wheels have no links without a version.
find_library(CudaLibraries_CUBLAS NAMES libcublas.so.13 cublas PATHS ${directories} NO_DEFAULT_PATH)
find_library(CudaLibraries_CUSOLVER NAMES libcusolver.so.12 cusolver PATHS ${directories}
             NO_DEFAULT_PATH)
find_library(CudaLibraries_CUDART NAMES cudart_static PATHS ${directories} NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  CudaLibraries
  REQUIRED_VARS CudaLibraries_INCLUDE_DIR CudaLibraries_CUBLAS CudaLibraries_CUSOLVER
                CudaLibraries_CUDART
  REASON_FAILURE_MESSAGE "install them (pip install 'cuda-toolkit[cublas,cusolver,cudart,nvtx]==13.0.*') \
in the Python that CMake finds (-DPython_EXECUTABLE=...), or set CudaLibraries_ROOT")

if(CudaLibraries_FOUND AND NOT TARGET CudaLibraries::CudaLibraries)
  add_library(CudaLibraries::CudaLibraries INTERFACE IMPORTED)
  target_include_directories(CudaLibraries::CudaLibraries INTERFACE ${CudaLibraries_INCLUDE_DIR})
  target_link_libraries(CudaLibraries::CudaLibraries
                        INTERFACE ${CudaLibraries_CUSOLVER} ${CudaLibraries_CUBLAS}
                                  ${CudaLibraries_CUDART} ${CMAKE_DL_LIBS} rt)
endif()

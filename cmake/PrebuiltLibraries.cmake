# The static libraries of another build of these sources, in EIGENTROPY_PREBUILT, in the place of
# csrc/base, csrc/cpu and csrc/cuda: for a module that is compiled on another machine than the rest.
foreach(name base core cuda)
  add_library(eigentropy_${name} STATIC IMPORTED GLOBAL)
  set_target_properties(eigentropy_${name} PROPERTIES IMPORTED_LOCATION
                                                      ${EIGENTROPY_PREBUILT}/libeigentropy_${name}.a)
endforeach()
target_include_directories(eigentropy_base INTERFACE ${PROJECT_SOURCE_DIR}/csrc)
target_link_libraries(eigentropy_base INTERFACE Threads::Threads)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_definitions(eigentropy_base INTERFACE EIGENTROPY_X86)
endif()
if(NOT EIGENTROPY_CUDA_PLUGIN)
  target_link_libraries(eigentropy_core INTERFACE eigentropy_base ScipyOpenBLAS::ScipyOpenBLAS
                                                  eigentropy_options)
endif()
if(EIGENTROPY_CUDA STREQUAL "ON")
  # The wheels' headers include some that are the compiler's (crt/).
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
  find_package(CudaLibraries REQUIRED)
  target_link_libraries(eigentropy_cuda INTERFACE eigentropy_base CudaLibraries::CudaLibraries)
  target_include_directories(eigentropy_cuda SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
endif()

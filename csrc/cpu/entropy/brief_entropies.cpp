#include "cpu/entropy/brief_entropies.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "base/gaussian.hpp"
#include "cpu/entropy/entropy_range.hpp"
#include "cpu/entropy/shannon.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "cpu/rows/kept_distances.hpp"

namespace eigentropy {
namespace {

struct Median {
  double distance, scale;
  std::unique_ptr<KeptDistances> kept;
};

template <class S>
Median median_of(InputView<S> Z, bool keeps_distances, int threads, Control& control) {
  if (keeps_distances) {
    auto kept = std::make_unique<KeptDistances>(Z, threads, control);
    return {kept->median(), kept->scale(), std::move(kept)};
  }
  const auto X = center_rows<S, double>(Z, centering_for_distances(), threads, control);
  return {median_distance(X, threads, control), X.scale, nullptr};
}

// In float32, from distances that are kept if these serve. They are gone afterwards.
template <class S>
Spectrum<float> single_spectrum(InputView<S> Z, const OperatorOptions& options,
                                std::unique_ptr<KeptDistances> kept, int threads,
                                Control& control) {
  const auto distances = kept == nullptr ? nullptr : kept->take_for(options.sigma);
  if (distances == nullptr) return diffusion_spectrum<float>(Z, options, threads, control);
  return diffusion_spectrum(*distances, options, threads, control);
}

// The entropy from eigenvalues in float32; nothing where rounding may have moved it too far.
std::optional<double> nats_in_single(const Spectrum<float>& spectrum, double t, double tol) {
  float* const eigenvalues = spectrum.eigenvalues.data();
  const index_t n = spectrum.eigenvalues.size();
  const double outside = clip_to_unit(eigenvalues, n);
  constexpr double eps = std::numeric_limits<float>::epsilon();
  const double delta = eigenvalue_error(n, spectrum.reach, outside, eps, 1.0);
  const auto [nats, error] = entropy_with_error(eigenvalues, n, t, {delta, spectrum.trace, true});
  // As `within` of the Python package.
  return error <= tol * std::max(nats - error, tol) ? std::optional(nats) : std::nullopt;
}

// The entropy from eigenvalues in float64.
double nats_of(const Spectrum<double>& spectrum, double t) {
  double* const eigenvalues = spectrum.eigenvalues.data();
  const index_t n = spectrum.eigenvalues.size();
  clip_to_unit(eigenvalues, n);
  return shannon_nats(eigenvalues, n, t);
}

// What is found of the groups.
template <class S>
void add_groups(InputView<S> Z, Partitions& partitions, const OperatorOptions& kernel,
                const BriefOptions& options, int threads, Control& control, BriefEntropies& found) {
  auto& [groups, shares] = partitions;
  const auto X =
      center_rows<S, double>(Z, centering_for_kernel<double>(kernel.sigma), threads, control);
  constexpr double any_memory = std::numeric_limits<double>::infinity();
  const SubsetSpectra<double> spectra =
      subset_spectra(X, groups, kernel, SubsetKernels::automatic, any_memory, threads, control);
  Buffer<double> entropies(shares.size());  // of one partition
  for (index_t first = 0; first < groups.count(); first += shares.size()) {
    found.kernel_sum_of_last = 0.0;
    for (index_t y = 0; y < shares.size(); ++y) {
      const index_t s = first + y;
      double* const eigenvalues = spectra.eigenvalues.data() + groups.offsets[s];
      clip_to_unit(eigenvalues, groups.size(s));
      entropies[y] = shannon_nats(eigenvalues, groups.size(s), options.t) / options.unit;
      found.kernel_sum_of_last += spectra.kernel_sums[s];
    }
    found.given_partition.push_back(weighted_sum(entropies.data(), shares.data(), shares.size()));
  }
}

}  // namespace

template <class S>
std::optional<BriefEntropies> brief_entropies(InputView<S> Z, Partitions& partitions,
                                              const BriefOptions& options, int threads,
                                              Control& control) {
  if (find_nonfinite_rows(Z, threads, control).count > 0) return std::nullopt;
  Median median = median_of(Z, options.keeps_distances, threads, control);
  const double width = options.share_of_median * median.distance;
  if (width > 0.0 && width < options.narrowest) return std::nullopt;
  BriefEntropies found;
  found.sigma = median.scale * width;
  if (found.sigma == 0.0) found.sigma = 1.0;  // rows are equal, and every width does the same

  const OperatorOptions kernel{found.sigma, options.alpha, true};
  std::optional<double> nats;
  if (options.reach_for_single > 0.0 &&
      reach_of(Z, found.sigma, median.kept.get(), threads, control) < options.reach_for_single) {
    const Spectrum<float> spectrum =
        single_spectrum(Z, kernel, std::move(median.kept), threads, control);
    nats = nats_in_single(spectrum, options.t, options.tol);
    found.kernel_sum = spectrum.kernel_sum;
  }
  median.kept.reset();
  control.check();  // after Ctrl-C nobody waits, and the rows of the caller may be gone
  if (!nats.has_value()) {
    const Spectrum<double> spectrum = diffusion_spectrum<double>(Z, kernel, threads, control);
    nats = nats_of(spectrum, options.t);
    found.kernel_sum = spectrum.kernel_sum;
  }
  found.entropy = *nats / options.unit;
  control.check();
  if (partitions.shares.size() > 0) {
    add_groups(Z, partitions, kernel, options, threads, control, found);
  }
  return found;
}

template std::optional<BriefEntropies> brief_entropies(InputView<float>, Partitions&,
                                                       const BriefOptions&, int, Control&);
template std::optional<BriefEntropies> brief_entropies(InputView<double>, Partitions&,
                                                       const BriefOptions&, int, Control&);

}  // namespace eigentropy

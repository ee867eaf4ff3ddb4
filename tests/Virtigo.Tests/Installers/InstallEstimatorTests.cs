using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Installers;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallEstimatorTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtigo-estimator-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_slower_host_is_expected_to_take_longer()
    {
        TimeSpan reference = InstallEstimator.Of(HostSpeed.OfReference).Remaining(InstallStage.Components, 0);
        TimeSpan slow = InstallEstimator.Of(new HostSpeed(HostSpeed.Reference * 3)).Remaining(InstallStage.Components, 0);
        Assert.Equal(reference * 3, slow);
    }

    [Fact]
    public async Task What_was_measured_is_what_is_expected_next_time()
    {
        InstallEstimator first = await Load();
        Assert.False(first.IsLearnt);
        await first.LearnAsync(Enum.GetValues<InstallStage>().ToDictionary(s => s, _ => new StageTiming(10, 4)), TestContext.Current.CancellationToken);

        InstallEstimator second = await Load();
        Assert.True(second.IsLearnt);
        Assert.Equal(TimeSpan.FromSeconds(80), second.Remaining(InstallStage.Components, 0));
        Assert.Equal(0.5, second.StageFraction(InstallStage.Disk, TimeSpan.FromSeconds(5), 2, 0), 3);
        Assert.Equal(0.125, second.Fraction(InstallStage.Disk, 0), 3);
    }

    [Fact]
    public async Task Another_accelerator_has_its_own_times()
    {
        InstallEstimator tcg = await Load();
        await tcg.LearnAsync(new Dictionary<InstallStage, StageTiming> { [InstallStage.Disk] = new(1, 0) }, TestContext.Current.CancellationToken);
        Assert.False((await Load(Accelerator.Kvm)).IsLearnt);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("{\"guests\":null}")]
    [InlineData("{\"guests\":{\"tcg\":null}}")]
    [InlineData("{\"guests\":{\"tcg\":{\"Disk\":{\"seconds\":-5,\"steps\":1}}}}")]
    [InlineData("{\"guests\":{\"tcg\":{\"Nonsense\":{\"seconds\":5,\"steps\":1}}}}")]
    public async Task A_damaged_file_counts_as_nothing_learnt(string content)
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "timings.json"), content, TestContext.Current.CancellationToken);
        Assert.False((await Load()).IsLearnt);
    }

    private Task<InstallEstimator> Load(Accelerator accelerator = Accelerator.Tcg) => InstallEstimator.LoadAsync(
        new HostPaths(_folder, _folder, _folder, _folder, _folder), accelerator, HostSpeed.OfReference, distribution: null, TestContext.Current.CancellationToken);
}

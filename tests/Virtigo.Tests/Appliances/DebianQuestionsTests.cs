using Virtigo.Appliances;
using Virtigo.Archives;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Archives;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class DebianQuestionsTests
{
    private static readonly ArchiveOptions s_options = new() { Clock = new HurriedClock() };
    private int _fetched;

    [Fact]
    public async Task Questions_come_from_initial_file_system_components_and_what_an_appliance_leaves_out()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();

        TemplateCatalog questions = await LoadAsync(archive, s_options);

        Assert.Equal("main-menu", questions.Find("debian-installer/main-menu")?.Package);
        Assert.Equal("base-installer", questions.Find("base-installer/kernel/image")?.Package);
        Assert.Equal("partman-lvm", questions.Find("partman-lvm/confirm")?.Package);
        Assert.Equal(1, _fetched);
    }

    [Fact]
    public async Task What_was_fetched_once_is_read_without_a_request()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        await LoadAsync(archive, s_options);
        int requests = archive.Server.Requests.Count;

        TemplateCatalog again = await LoadAsync(archive, s_options);
        TemplateCatalog offline = await LoadAsync(archive, s_options with { Offline = true });

        Assert.Equal(requests, archive.Server.Requests.Count);
        Assert.Equal(1, _fetched);
        Assert.All([again, offline], questions => Assert.NotNull(questions.Find("partman-lvm/confirm")));
    }

    [Fact]
    public async Task A_component_that_the_mirror_lacks_takes_only_its_own_questions_along()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        archive.Server.Misbehave(Misbehaviour.Missing, "partman-lvm");

        TemplateCatalog questions = await LoadAsync(archive, s_options);

        Assert.Null(questions.Find("partman-lvm/confirm"));
        Assert.NotNull(questions.Find("base-installer/kernel/image"));
    }

    [Fact]
    public async Task Offline_what_a_build_left_in_the_cache_is_enough()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();
        await archive.AssembleAsync();
        int requests = archive.Server.Requests.Count;

        TemplateCatalog questions = await LoadAsync(archive, s_options with { Offline = true });

        Assert.NotNull(questions.Find("base-installer/kernel/image"));
        Assert.Null(questions.Find("partman-lvm/confirm"));
        Assert.Equal(requests, archive.Server.Requests.Count);
    }

    [Fact]
    public async Task Offline_and_never_fetched_is_an_error_without_a_request()
    {
        await using InstallerArchive archive = await InstallerArchive.StartAsync();

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => LoadAsync(archive, s_options with { Offline = true }));

        Assert.Equal(FailureKind.Archive, error.Kind);
        Assert.Contains("never fetched", error.Message);
        Assert.Empty(archive.Server.Requests);
        Assert.Equal(0, _fetched);
    }

    private Task<TemplateCatalog> LoadAsync(InstallerArchive archive, ArchiveOptions options) => DebianQuestions.LoadAsync(
        archive.Paths, options, _ => Task.FromResult(archive.Archive.Source), InstallerArchive.Wanted, () => _fetched++,
        TestContext.Current.CancellationToken);
}

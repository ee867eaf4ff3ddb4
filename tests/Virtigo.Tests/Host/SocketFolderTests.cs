using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class SocketFolderTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly string _home = Directory.CreateTempSubdirectory("vs").FullName;

    private HostPaths Paths => new(At("c"), At("d"), At("s"), At("g"), At("run"));

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public void A_folder_is_its_owners_and_goes_with_its_use()
    {
        SocketFolder folder = SocketFolder.Create(Paths);
        File.WriteAllText(Path.Combine(folder.Path, "socket"), "");
        Assert.Equal(OwnerOnly, File.GetUnixFileMode(folder.Path));

        folder.Dispose();
        Assert.Empty(Directory.EnumerateFileSystemEntries(Paths.Runtime));
    }

    [Fact]
    public void What_the_dead_left_is_swept_and_what_lives_stays()
    {
        using SocketFolder alive = SocketFolder.Create(Paths);
        Directory.CreateDirectory(Path.Combine(Paths.Runtime, "dead"));
        File.WriteAllText(Path.Combine(Paths.Runtime, "dead", "socket"), "");
        File.WriteAllText(Path.Combine(Paths.Runtime, "dead.lock"), "");

        using SocketFolder next = SocketFolder.Create(Paths);

        Assert.False(Directory.Exists(Path.Combine(Paths.Runtime, "dead")));
        Assert.True(Directory.Exists(alive.Path));
        Assert.True(Directory.Exists(next.Path));
    }

    [Fact]
    public void A_folder_that_others_can_enter_is_refused()
    {
        Directory.CreateDirectory(Paths.Runtime, OwnerOnly | UnixFileMode.OtherExecute);

        VirtigoException refusal = Assert.Throws<VirtigoException>(() => SocketFolder.Create(Paths));

        Assert.Equal(FailureKind.Host, refusal.Kind);
        Assert.Contains("0700", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_link_in_its_place_is_refused()
    {
        Directory.CreateDirectory(At("elsewhere"), OwnerOnly);
        Directory.CreateSymbolicLink(Paths.Runtime, At("elsewhere"));

        Assert.Throws<VirtigoException>(() => SocketFolder.Create(Paths));
    }

    [Theory]
    [InlineData("/home/me", "/home/me/.local/state/virtigo/run")]
    [InlineData("/a/very/long/home/directory/of/somebody/who/keeps/everything/far/below", null)]
    public void Sockets_are_below_the_users_own_state_unless_that_path_is_too_long(string home, string? expected)
    {
        HostPaths paths = HostPaths.FromEnvironment(name => name == "HOME" ? home : null);
        Assert.StartsWith(expected ?? Path.Combine(Path.GetTempPath(), "virtigo-"), paths.Runtime, StringComparison.Ordinal);
    }

    private string At(string name) => Path.Combine(_home, name);
}

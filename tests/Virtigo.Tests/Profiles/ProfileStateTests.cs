using System.Text;
using CsCheck;
using Virtigo.Profiles;
using Virtigo.Tests.Archives;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>What a guest keeps of its profile comes back as it was, or is refused: it decides what root does there.</summary>
public sealed class ProfileStateTests
{
    private static readonly Gen<KeptChange> s_change = Gen.OneOf(
        Gen.Select(Golden.Pieces(ProfileTargets.KernelFile, ProfileTargets.LinkAddition("99-default.link")), FileState, FileState, (target, before, after) => new KeptChange("offloads", ChangeKind.File, target, before, after)),
        Gen.Select(Golden.Pieces([.. ProfileTargets.Units]), Golden.Pieces("enabled linked active", "masked unlinked inactive"), (target, before) => new KeptChange("ntp", ChangeKind.Unit, target, before, "enabled linked active")),
        Gen.Const(new KeptChange("clocksource", ChangeKind.Knob, ProfileTargets.ClockSource, "tsc", "acpi_pm")),
        Gen.Select(Golden.Pieces([.. ProfileTargets.Offloads]), offload => new KeptChange("offloads", ChangeKind.Offload, $"enp0s1 {offload}", "on", "off")));

    private static Gen<string> FileState => Gen.OneOf(Gen.Const(ProfileChange.Absent), Gen.Byte.Array[0, 300].Select(bytes => "=" + Convert.ToBase64String(bytes)));

    [Fact]
    public void What_is_kept_is_read_again() => s_change.Array[0, 12].Sample(changes =>
    {
        ProfileState state = changes.Aggregate(new ProfileState([]), (all, change) => all.With(change));
        Assert.Equal(state.Changes, ProfileState.Parse(Written(state)).Changes);
    }, iter: 60);

    [Fact]
    public void What_was_before_the_first_change_stays_and_each_thing_is_there_once() => s_change.Array[0, 12].Sample(changes =>
    {
        ProfileState state = changes.Aggregate(new ProfileState([]), (all, change) => all.With(change));
        Assert.Equal(changes.Select(change => (change.Kind, change.Target)).Distinct(), state.Changes.Select(change => (change.Kind, change.Target)));
        Assert.All(state.Changes, kept =>
        {
            Assert.Equal(changes.First(change => change.Target == kept.Target).Before, kept.Before);
            Assert.Equal(changes.Last(change => change.Target == kept.Target).After, kept.After);
            Assert.DoesNotContain(state.Without(kept).Changes, other => other.Target == kept.Target);
        });
    });

    [Theory]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{\"changes\":null}")]
    [InlineData("{\"changes\":[null]}")]
    [InlineData("{\"changes\":[{}]}")]
    [InlineData("not json")]
    [InlineData("\u0000")]
    [InlineData(Before + "\"kind\":\"File\",\"target\":\"/etc/shadow\",\"before\":\"-\",\"after\":\"-\"}]}")]
    [InlineData(Before + "\"kind\":\"File\",\"target\":\"/etc/systemd/network/../../shadow.link.d/virtigo-profile.conf\",\"before\":\"-\",\"after\":\"-\"}]}")]
    [InlineData(Before + "\"kind\":\"Knob\",\"target\":\"" + ProfileTargets.ClockSource + "\",\"before\":\"tsc; reboot\",\"after\":\"tsc\"}]}")]
    [InlineData(Before + "\"kind\":\"Knob\",\"target\":\"" + ProfileTargets.ClockSource + "\",\"before\":\"tsc\\n\",\"after\":\"tsc\"}]}")]
    [InlineData(Before + "\"kind\":\"Knob\",\"target\":\"/proc/sysrq-trigger\",\"before\":\"b\",\"after\":\"b\"}]}")]
    [InlineData(Before + "\"kind\":\"Unit\",\"target\":\"ssh.service\",\"before\":\"masked unlinked inactive\",\"after\":\"enabled linked active\"}]}")]
    [InlineData(Before + "\"kind\":\"Unit\",\"target\":\"fstrim.timer\",\"before\":\"$(x) linked active\",\"after\":\"enabled linked active\"}]}")]
    [InlineData(Before + "\"kind\":\"Module\",\"target\":\"evil\",\"before\":\"absent\",\"after\":\"loaded\"}]}")]
    [InlineData(Before + "\"kind\":\"Offload\",\"target\":\"-K tso\",\"before\":\"on\",\"after\":\"maybe\"}]}")]
    [InlineData(Before + "\"kind\":\"Offload\",\"target\":\"eth0 ufo\",\"before\":\"on\",\"after\":\"off\"}]}")]
    [InlineData(Before + "\"kind\":99,\"target\":\"x\",\"before\":\"-\",\"after\":\"-\"}]}")]
    [InlineData("{\"changes\":[{\"setting\":\"none\",\"kind\":\"Module\",\"target\":\"virtio_rng\",\"before\":\"absent\",\"after\":\"loaded\"}]}")]
    public void What_no_profile_wrote_is_refused_by_name(string text)
    {
        VirtigoException failure = Assert.Throws<VirtigoException>(() => ProfileState.Parse(text));
        Assert.Equal(FailureKind.Guest, failure.Kind);
        Assert.Contains(ProfileState.Path, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Too_much_is_refused_when_read_and_when_written()
    {
        Assert.Contains("too long", Assert.Throws<VirtigoException>(() => ProfileState.Parse(new string(' ', ProfileState.MaxBytes + 1))).Message, StringComparison.Ordinal);
        string large = "=" + Convert.ToBase64String(new byte[30 << 10]);
        var state = new ProfileState([.. new[] { ProfileTargets.KernelFile, ProfileTargets.ConsoleFile, ProfileTargets.RngFile }.Select(file => new KeptChange("console", ChangeKind.File, file, large, "-"))]);
        Assert.Equal(FailureKind.Guest, Assert.Throws<VirtigoException>(state.WriteCommand).Kind);
    }

    [Fact]
    public void Whatever_the_guest_has_there_is_changes_that_a_profile_makes_or_a_failure_by_name()
    {
        string sound = Written(s_change.Array[3].Single().Aggregate(new ProfileState([]), (all, change) => all.With(change)));
        Gen<string> bent = Gen.Select(Gen.Int[0, sound.Length], Gen.Int[0, 5], Gen.String[0, 5], (at, gone, put) => sound[..at] + put + sound[Math.Min(sound.Length, at + gone)..]);
        Gen.OneOf(bent, Gen.String, Gen.Int[0, sound.Length].Select(length => sound[..length])).Sample(text =>
        {
            try
            {
                Assert.All(ProfileState.Parse(text).Changes, change => Assert.True(ProfileTargets.IsKnown(change.Kind, change.Target)
                    && ProfileChange.IsState(change.Kind, change.Before) && ProfileChange.IsState(change.Kind, change.After)));
            }
            catch (VirtigoException failure)
            {
                Assert.Equal(FailureKind.Guest, failure.Kind);
            }
        }, iter: 3000);
    }

    [Fact]
    public void No_state_that_a_guest_tells_leaves_the_words_of_a_command() => Gen.Select(Gen.Enum<ChangeKind>(), Gen.OneOf(Gen.String, Golden.Pieces("on", "loaded", "=YQ==\n'", "= ", "a b c", "enabled linked active\n"))).Sample((kind, state) =>
        Assert.True(!ProfileChange.IsState(kind, state) || state.All(letter => char.IsAsciiLetterOrDigit(letter) || " _.-=+/\n\r\t".Contains(letter, StringComparison.Ordinal)), state));

    private const string Before = "{\"changes\":[{\"setting\":\"entropy\",";

    /// <summary>What the command that keeps it writes, by a real shell.</summary>
    private static string Written(ProfileState state)
    {
        if (state.Changes.Count == 0)
        {
            return "";
        }

        string folder = TestArchiveTools.NewFolder();
        string script = state.WriteCommand().Replace("/var/lib/virtigo", folder, StringComparison.Ordinal);
        TestArchiveTools.Run("sh", Encoding.UTF8.GetBytes(script));
        return File.ReadAllText(Path.Combine(folder, "profile.json"));
    }
}

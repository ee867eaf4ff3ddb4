using CsCheck;
using Virtigo.Profiles;
using Xunit;

namespace Virtigo.Tests.Profiles;

/// <summary>An offload is changed by numbers: only what helps, beyond chance.</summary>
public sealed class OffloadTrialTests
{
    [Theory]
    [InlineData("100 101 99", "200 210 190", OffloadReason.Faster)]
    [InlineData("100 101 99", "125 126 124", OffloadReason.Faster)]
    [InlineData("100 101 99", "118 119 117", OffloadReason.None)] // too little
    [InlineData("100 60 140", "150 141 160", OffloadReason.None)] // it varies more than it gains
    [InlineData("100 101 99", "200 98 210", OffloadReason.None)] // not every time
    [InlineData("100 101 99", "100 100 100", OffloadReason.None)]
    [InlineData("200 210 190", "100 101 99", OffloadReason.None)] // slower
    [InlineData("0 0 0", "0 0 0", OffloadReason.None)]
    [InlineData("", "", OffloadReason.None)]
    [InlineData("100", "", OffloadReason.None)]
    [InlineData("100/4 100/3 100/5", "100/0 100/1 100/0", OffloadReason.FewerErrors)] // 12 to 1
    [InlineData("100/3 100/3 100/3", "100/0 100/0 100/0", OffloadReason.None)] // nine may be chance
    [InlineData("100/4 100/4 100/4", "100/1 100/2 100/1", OffloadReason.None)] // a third is left
    [InlineData("100/0 100/0 100/0", "200/4 200/4 200/4", OffloadReason.None)] // faster, but wrong
    [InlineData("100/0 100/0 100/0", "200/1 200/0 200/1", OffloadReason.Faster)]
    public void Only_what_helps_beyond_chance_is_changed(string asIs, string otherwise, object reason) => Assert.Equal(reason, Trial(asIs, otherwise).Reason);

    [Fact]
    public void Noise_changes_nothing() =>
        Gen.Select(Gen.Double[0.92, 1.08].Array[3], Gen.Double[0.92, 1.08].Array[3], Gen.Double[1, 50_000], Gen.Int[0, 3].Array[6]).Sample((one, other, speed, errors) =>
        {
            var trial = new OffloadTrial("eth0", "tso", true, [.. one.Select((factor, i) => Sample(speed * factor, errors[i]))], [.. other.Select((factor, i) => Sample(speed * factor, errors[i + 3]))]);
            Assert.Equal(OffloadReason.None, trial.Reason);
        });

    [Fact]
    public void Nothing_is_changed_and_then_changed_back_by_the_same_numbers() =>
        Gen.Select(Samples, Samples).Sample((one, other) => Assert.False(
            new OffloadTrial("eth0", "tso", true, one, other).Reason != OffloadReason.None && new OffloadTrial("eth0", "tso", false, other, one).Reason != OffloadReason.None));

    [Fact]
    public void Only_helping_offloads_are_applied_at_once_and_the_file_for_later_boots_keeps_the_others_as_they_are()
    {
        OffloadTrial helps = Trial("100/40", "100") with { Offload = "tx" }, faster = Trial("100", "200") with { Offload = "gro", IsOn = false }, not = Trial("100", "100") with { Offload = "tso", IsOn = false };
        Judgment judgment = Judge(new GuestNicFact("eth0", "virtio_net", "99-default.link"), helps, faster, not);
        Assert.Equal(FindingVerdict.Problem, judgment.Finding.Verdict);
        Assert.Equal([("eth0 tx", "off"), ("eth0 gro", "on")], judgment.Changes.Where(change => change.Kind == ChangeKind.Offload).Select(change => (change.Target, change.Wanted)));
        Assert.Equal(ProfileChange.File("/etc/systemd/network/99-default.link.d/virtigo-profile.conf",
            "[Link]\nTransmitChecksumOffload=no\nGenericReceiveOffload=yes\nTCPSegmentationOffload=no\n"), judgment.Changes[0]);
    }

    [Fact]
    public void When_nothing_helps_nothing_is_changed_and_without_a_link_file_nothing_is_written()
    {
        Judgment nothing = Judge(new GuestNicFact("eth0", "virtio_net", "99-default.link"), Trial("100", "100"));
        Assert.Equal((FindingVerdict.Ok, 0), (nothing.Finding.Verdict, nothing.Changes.Count));
        Assert.Equal([ChangeKind.Offload], Judge(new GuestNicFact("eth0", "", ""), Trial("100", "200")).Changes.Select(change => change.Kind));
    }

    [Theory]
    [InlineData("result 1000 500000000 10 2 1\n", 1000)]
    [InlineData("port 5\nresult 0 1 0 0 0\nresult x", 0)]
    [InlineData("result 1000 0 10 2 1", null)]
    [InlineData("result 1000 5 10 2", null)]
    [InlineData("result 1000 5 10 2 1 1", null)]
    [InlineData("result -1 5 10 2 1", null)]
    [InlineData("result 99999999999999999999 5 10 2 1", null)]
    [InlineData("result ٣ 5 10 2 1", null)]
    [InlineData("", null)]
    public void A_transfers_result_is_numbers_or_none(string said, int? bytes) => Assert.Equal(bytes, NetworkMeter.Parse(said)?.Bytes);

    [Fact]
    public void Any_result_gives_finite_numbers() =>
        Gen.OneOf(Gen.String, Gen.Long.Array[5].Select(numbers => "result " + string.Join(' ', numbers))).Sample(said =>
            Assert.True(NetworkMeter.Parse(said) is not { } sample || (double.IsFinite(sample.Megabits) && sample.Errors >= 0)));

    private static Gen<TransferSample[]> Samples => Gen.Select(Gen.Double[0, 1000], Gen.Int[0, 60], Sample).Array[0, 4];

    private static Judgment Judge(GuestNicFact card, params OffloadTrial[] trials) => ProfileTable.All.Single(setting => setting.Name == "offloads")
        .Judge(GuestFacts.Parse(""), new ProfileMeasurements(null, new NetworkMeasurement(card, "client", Sample(100, 0), trials, []), null));

    private static OffloadTrial Trial(string asIs, string otherwise) => new("eth0", "tso", true, Read(asIs), Read(otherwise));

    private static IReadOnlyList<TransferSample> Read(string text) => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(word => word.Split('/'))
        .Select(parts => Sample(int.Parse(parts[0], null), parts.Length > 1 ? int.Parse(parts[1], null) : 0))];

    private static TransferSample Sample(double megabits, int errors) => new((long)(megabits * 1e6 / 8), 1, 10_000, errors, 0);
}

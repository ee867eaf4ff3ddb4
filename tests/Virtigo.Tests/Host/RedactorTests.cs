using System.Text;
using CsCheck;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Host;

public sealed class RedactorTests
{
    [Theory]
    [InlineData("pass=hunter2;", "pass=[redacted];")]
    [InlineData("hunter22", "[redacted]")]
    [InlineData("nothing", "nothing")]
    public void A_secret_is_taken_out_wherever_it_stands(string text, string expected) =>
        Assert.Equal(expected, new Redactor(["hunter2", "hunter22"]).Redact(text));

    [Theory]
    [InlineData("ab", "[redacted]")]
    [InlineData("crab and ab.", "crab and [redacted].")]
    [InlineData("abab", "abab")]
    public void A_very_short_secret_is_taken_out_where_it_stands_alone(string text, string expected) =>
        Assert.Equal(expected, new Redactor(["ab"]).Redact(text));

    [Fact]
    public void No_long_secret_survives_in_any_text() =>
        Gen.Select(Gen.String[Gen.Char["abé€\n "], 4, 8], Gen.String[Gen.Char["abé€\n "], 0, 60], Gen.Int[0, 60]).Sample(
            (secret, text, at) =>
            {
                string holding = text.Insert(Math.Min(at, text.Length), secret);
                var redactor = new Redactor([secret]);
                return !redactor.Redact(holding).Contains(secret, StringComparison.Ordinal)
                    && redactor.Redact(Encoding.UTF8.GetBytes(holding)).AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret)) < 0;
            },
            iter: 2000);

    [Fact]
    public void Bytes_without_a_secret_stay_as_they_are() => Gen.Byte.Array[0, 100].Sample(
        bytes => new Redactor(["a secret that is not there"]).Redact(bytes).AsSpan().SequenceEqual(bytes), iter: 500);
}
